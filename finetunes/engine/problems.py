"""What can go wrong with a call, as OpenAI's error envelope with a sentence in it."""

from __future__ import annotations


class EngineProblem(Exception):
    """A call cannot be answered; `sentence` says what to do next.

    `status` is the HTTP status, `kind` and `code` are OpenAI's words for it, `param` names the
    part of the body at fault, `retry_after` is in seconds.
    """

    def __init__(
        self,
        status: int,
        code: str,
        sentence: str,
        *,
        param: str | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(sentence)
        self.status = status
        self.code = code
        self.sentence = sentence
        self.param = param
        self.retry_after = retry_after

    @property
    def kind(self) -> str:
        """OpenAI's `type`: whose turn it is to change something."""
        return "invalid_request_error" if self.status < 500 else "server_error"

    def envelope(self) -> dict[str, object]:
        """The JSON body that OpenAI's clients turn into their exceptions."""
        return {
            "error": {
                "message": self.sentence,
                "type": self.kind,
                "param": self.param,
                "code": self.code,
            }
        }


def unauthorized() -> EngineProblem:
    """The call does not carry the engine's token."""
    return EngineProblem(
        401,
        "invalid_api_key",
        "This engine answers only callers that know its token. Ask through the gateway, with an "
        "API key of your project.",
    )


def bad_value(param: str, sentence: str) -> EngineProblem:
    """A part of the body has the wrong type or an impossible value."""
    return EngineProblem(400, "invalid_value", sentence, param=param)


def model_not_found(name: str, known: list[str]) -> EngineProblem:
    """No registered model answers to this name."""
    served = f"It serves: {', '.join(known)}." if known else "It serves no model yet."
    return EngineProblem(
        404,
        "model_not_found",
        f"This engine knows no model “{name}”. {served} Register the model, or point the alias "
        "at one of its versions, and ask again.",
        param="model",
    )


def model_refused(code: str, sentence: str) -> EngineProblem:
    """A registered model that must not, or cannot, be served."""
    return EngineProblem(503, code, sentence, param="model")
