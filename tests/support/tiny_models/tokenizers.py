"""Tokenizers of the classes that real models use, in which every letter is a token."""

from __future__ import annotations

import string

from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import CLIPTokenizer, GemmaTokenizer, PreTrainedTokenizerFast, Qwen2Tokenizer, T5Tokenizer

WINDOW = 24  # tokens that the text encoders read
LETTERS = string.ascii_lowercase
VOCABULARY = 96  # at least as many as any tokenizer here has tokens
_SYSTEM = (  # what Lumina 2 puts before every prompt: letter by letter it would fill the window
    "You are an assistant designed to generate superior images with the superior degree of image-text alignment based"
    " on textual prompts or user prompts. <Prompt Start> "
)
_CHAT = "{% for message in messages %}<s>{{ message.content }}<e>{% endfor %}"


def clip() -> CLIPTokenizer:
    signs = ["<|startoftext|>", "<|endoftext|>", *LETTERS, *(f"{c}</w>" for c in LETTERS)]
    return CLIPTokenizer(vocab={sign: n for n, sign in enumerate(signs)}, merges=[], model_max_length=WINDOW)


def t5() -> T5Tokenizer:
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("\u2581", -2.0), *((c, -3.0) for c in LETTERS)]
    return T5Tokenizer(vocab=pieces, extra_ids=0, model_max_length=WINDOW)


def gemma() -> GemmaTokenizer:
    signs = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "\u2581", *LETTERS]
    tokenizer = GemmaTokenizer(vocab={sign: n for n, sign in enumerate(signs)}, merges=[])
    tokenizer.add_tokens([_SYSTEM])
    return tokenizer


def qwen() -> Qwen2Tokenizer:
    signs = ["<|endoftext|>", "<s>", "<e>", "\u0120", "\u010a", *LETTERS, *string.ascii_uppercase, *string.punctuation]
    tokenizer = Qwen2Tokenizer(vocab={sign: n for n, sign in enumerate(dict.fromkeys(signs))}, merges=[])
    tokenizer.chat_template = _CHAT
    return tokenizer


def glm() -> PreTrainedTokenizerFast:
    signs = ["<|endoftext|>", "<unk>", "<sop>", *LETTERS, " "]
    backend = Tokenizer(models.WordLevel({sign: n for n, sign in enumerate(signs)}, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    backend.post_processor = processors.TemplateProcessing(single="<sop> $A", special_tokens=[("<sop>", 2)])
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token="<|endoftext|>", eos_token="<|endoftext|>", unk_token="<unk>",
        padding_side="left",
    )  # fmt: skip
