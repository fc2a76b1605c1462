"""Answers in which a model refuses to answer, told by how they begin. Pure.

The phrases are ours, collected from how assistants word refusals; a quoted refusal further down in
an answer does not count.
"""

from __future__ import annotations

import re

LOOKED_AT = 240
"""Characters at the start of an answer: a refusal begins with refusing."""

_PHRASES = (
    r"(?:i'?m|i am) (?:really |very |so |truly )?sorry,? (?:but )?(?:i|as an)\b",
    r"(?:sorry|apologies|unfortunately),? (?:but )?(?:i|we) (?:can'?t|cannot|can not|won'?t"
    r"|am unable|are unable|'?m unable|am not able|'?m not able)",
    r"i (?:can'?t|cannot|can not|won'?t|will not|must decline to)"
    r" (?:help|assist|answer|comply|provide|do that|do this|fulfil|create|write|generate|discuss"
    r"|engage|continue|support|share|give|offer)",
    r"(?:i'?m|i am) (?:unable|not able|not allowed|not permitted|not comfortable)\b",
    r"as an? (?:ai|artificial intelligence|large language|language)\b[^.]{0,40}"
    r"(?:i (?:can'?t|cannot|do not|don'?t|am unable|am not))",
    r"(?:this|that|your) (?:request|content|question) (?:violates|goes against|is against)",
    r"i (?:don'?t|do not) feel comfortable",
    r"(?:es )?tut mir leid,? (?:aber )?(?:ich|dabei|das)\b",
    r"(?:leider|entschuldigung,?) (?:kann|darf) ich (?:dir |ihnen |dabei |das |diese)",
    r"ich kann (?:dir |ihnen )?(?:dabei |damit |diese anfrage )?(?:leider )?nicht "
    r"(?:helfen|beantwort)",
    r"(?:je suis |)désolée?,? (?:mais )?je ne peux pas",
    r"je ne (?:peux|suis) pas (?:vous |en mesure|répondre|aider)",
    r"lo siento,? (?:pero )?no puedo",
    r"no puedo (?:ayudar|responder|proporcionar|cumplir)",
    r"(?:mi dispiace|desculpe|sinto muito),? (?:ma |mas )?(?:non posso|não posso)",
    r"(?:很抱歉|抱歉|对不起)[\uff0c,]?(?:但)?我?(?:无法|不能)",
    r"申し訳(?:ありません|ございません)",
)
# At the start of the answer or of a part of a sentence: what is quoted is not said.
_refusal = re.compile(
    r"(?:^|[.!?:;,\u3002\uff01\uff0c] ?)(?:" + "|".join(_PHRASES) + ")", re.IGNORECASE
)


def refuses(answer: str) -> bool:
    """Whether the answer begins by refusing."""
    start = " ".join(answer[:LOOKED_AT].replace("\u2019", "'").split())
    return _refusal.search(start) is not None
