"""Small real tokenizers with chat templates of the families met in the wild."""

from __future__ import annotations

from functools import cache

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] "
    "+ '<|im_end|>' + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)

# The template itself writes the beginning-of-text token and trims every content.
LLAMA3 = (
    "{{ bos_token }}{% for m in messages %}{{ '<|start_header_id|>' + m['role'] "
    "+ '<|end_header_id|>\n\n' + m['content'] | trim + '<|eot_id|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}"
    "{% endif %}"
)

# No control token stands between the prompt and the answer, so text can merge at the boundary.
STRIPPING = (
    "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'assistant' %}"
    "{{ ' ' + m['content'] | trim + '</s>' }}{% else %}"
    "{{ '[INST] ' + m['content'] | trim + ' [/INST]' }}{% endif %}{% endfor %}"
)

# A prompt that ends in a space which the finished conversation joins with the answer.
SPACED = (
    "{% for m in messages %}{{ m['role'] + ': ' + m['content'] }}"
    "{% if m['role'] == 'assistant' %}{{ eos_token }}{% endif %}{{ '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}"
)

# History loses its reasoning, and the generation prompt pre-fills an empty think block that
# finished turns do not have.
QWEN3 = (
    "{% for m in messages %}{% set content = m['content'] %}"
    "{% if m['role'] == 'assistant' and '</think>' in content %}"
    "{% set content = content.split('</think>')[-1].lstrip('\n') %}{% endif %}"
    "{{ '<|im_start|>' + m['role'] + '\n' }}"
    "{% if m['role'] == 'assistant' and loop.last and m['reasoning_content'] is defined %}"
    "{{ '<think>\n' + m['reasoning_content'] + '\n</think>\n\n' }}{% endif %}"
    "{{ content }}"
    "{% if m['tool_calls'] is defined %}{% for call in m['tool_calls'] %}"
    '{{ \'\n<tool_call>\n{"name": "\' + call.function.name + \'", "arguments": \' }}'
    "{{ call.function.arguments | tojson }}{{ '}\n</tool_call>' }}{% endfor %}{% endif %}"
    "{{ '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}"
    "{% if enable_thinking is not defined or not enable_thinking %}"
    "{{ '<think>\n\n</think>\n\n' }}{% endif %}{% endif %}"
)

# Arguments are pasted as they come, and the end-of-text token follows every finished text.
PASTED_ARGUMENTS = (
    "{% for m in messages %}{{ '<|' + m['role'] + '|>\n' + m['content'] }}"
    "{% if m['tool_calls'] is defined %}{% for call in m['tool_calls'] %}"
    "{{ '[TOOL]' + call.function.name + call.function.arguments }}{% endfor %}{% endif %}"
    "{{ '<|end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% else %}{{ eos_token }}{% endif %}"
)

SPECIAL = [
    "<pad>", "<s>", "</s>", "<|im_start|>", "<|im_end|>", "<|start_header_id|>",
    "<|end_header_id|>", "<|eot_id|>", "<|end|>", "<|user|>", "<|assistant|>",
]  # fmt: skip
CORPUS = [
    "What is the capital of France? The capital of France is Paris.",
    "system user assistant tool: hello there, how are you today?",
    '{"name": "weather", "arguments": {"city": "Lyon", "days": 3}}',
    "Überraschung, naïve café, 東京, emoji 🙂 and a tab\tand\nnew lines\n\n",
    "<think>\nlet me think about this\n</think>\n\n",
] * 4

TEMPLATES = {
    "chatml": (CHATML, None, "<|im_end|>"),
    "llama3": (LLAMA3, "<s>", "<|eot_id|>"),
    "stripping": (STRIPPING, "<s>", "</s>"),
    "spaced": (SPACED, None, "</s>"),
    "qwen3": (QWEN3, None, "<|im_end|>"),
    "pasted": (PASTED_ARGUMENTS, None, "</s>"),
}
STOPS = {"pasted": ["<|end|>", "</s>"]}


@cache
def byte_level_bpe() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=600,
        special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    return tokenizer


@cache
def make_tokenizer(family: str) -> PreTrainedTokenizerFast:
    """A tokenizer whose chat template is of the named family."""
    template, bos, eos = TEMPLATES[family]
    return tokenizer_with(template, bos=bos, eos=eos)


def tokenizer_with(
    template: str, *, bos: str | None = None, eos: str = "<|im_end|>"
) -> PreTrainedTokenizerFast:
    copy = Tokenizer.from_str(byte_level_bpe().to_str())
    special = {"pad_token": "<pad>", "eos_token": eos, "additional_special_tokens": SPECIAL[3:]}
    if bos:
        special["bos_token"] = bos
    made = PreTrainedTokenizerFast(tokenizer_object=copy, **special)
    made.chat_template = template
    return made


def stop_ids(family: str) -> set[int]:
    """The ids an engine of this family stops at."""
    tokenizer = make_tokenizer(family)
    names = STOPS.get(family, [tokenizer.eos_token])
    return {int(tokenizer.get_vocab()[name]) for name in names}
