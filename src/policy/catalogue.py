#!/usr/bin/env python3
"""Makes src/policy/catalogue.json anew from two public lists of models, and says what it left out and why.

The lists are the ones inside two packages, LiteLLM's `model_prices_and_context_window_backup.json` and genai-prices';
neither package is imported by the gateway. docs/operate/catalogue.md says what is taken from which.

    python3 -m venv target/lists
    target/lists/bin/pip install litellm==1.110.2 genai-prices==0.2.3
    target/lists/bin/python src/policy/catalogue.py --as-of 2026-11-30
    git diff src/policy/catalogue.json && cargo test --lib catalogue
"""

import argparse
import datetime
import importlib.util
import json
import re
import sys
from decimal import Decimal
from pathlib import Path

from genai_prices.data import providers as genai_providers

CATALOGUE = Path(__file__).resolve().with_suffix(".json")
LITELLM = "model_prices_and_context_window_backup.json"

# The gateway's word for a kind of provider, and what genai-prices calls it.
KINDS = {
    "anthropic": "anthropic",
    "bedrock": "aws",
    "cerebras": "cerebras",
    "cohere": "cohere",
    "deepseek": "deepseek",
    "gemini": "google",
    "groq": "groq",
    "mistral": "mistral",
    "openai": "openai",
    "vertex": "google",
    "xai": "x-ai",
}

# What LiteLLM calls a provider; which of its names are taken, without versions of models that stand there anyway; the
# gateway's kind.
DATED = r"-(20\d\d-\d\d-\d\d|20\d{6})$"
GEMINI = r"(gemini-[0-9.]+-(?:pro|flash|flash-lite)(?:-preview)?)"
TAKEN = [
    (
        "openai",
        r"(gpt-(?:3\.5-turbo|4|4-turbo|4o|4o-mini|4o-2024-05-13|4\.1[a-z-]*|5[a-z0-9.-]*|6[a-z0-9.-]*)|o[134](?:-mini|-pro)?)",
        r"search|cyber|rosalind|law|chat|research|audio|(?<!4o)" + DATED,
        "openai",
    ),
    ("anthropic", r"(.*)", r"preview|" + DATED, "anthropic"),
    ("gemini", r"gemini/" + GEMINI, None, "gemini"),
    ("vertex_ai", r"(?:vertex_ai/)?" + GEMINI, None, "vertex"),
    ("vertex_ai-language-models", r"(?:vertex_ai/)?" + GEMINI, None, "vertex"),
    (
        "bedrock_converse",
        r"((?:(?:us|eu|apac|au|jp|global)\.)?(?:anthropic\.claude|amazon\.nova)-[a-z0-9-]+?)(?:-20\d{6})?(?:-v\d(?::0)?)?",
        r"preview",
        "bedrock",
    ),
    (
        "mistral",
        r"mistral/((?:mistral-(?:large|medium|small)|codestral|ministral-\d+b|magistral-\w+|devstral-\w+)-latest|mistral-large-2512)",
        None,
        "mistral",
    ),
    ("deepseek", r"([^/]+)", r"exp", "deepseek"),
    ("xai", r"xai/(grok-4\.\d+)", None, "xai"),
    ("cohere_chat", r"(command-.*)", None, "cohere"),
    ("groq", r"groq/(openai/gpt-oss-.*)", r"safeguard", "groq"),
    ("cerebras", r"cerebras/(gpt-oss.*)", None, "cerebras"),
]

# The gateway's word for an ability; LiteLLM's; the kind of input that it is.
CAPS = [
    ("tools", "supports_function_calling", None),
    ("images", "supports_vision", "image"),
    ("json_schema", "supports_response_schema", None),
    ("audio", "supports_audio_input", "audio"),
]

# The catalogue's word for a price; LiteLLM's, in dollars per token; genai-prices', in dollars per million.
PRICES = [
    ("input", "input_cost_per_token", "input_mtok"),
    ("output", "output_cost_per_token", "output_mtok"),
    ("cache_read", "cache_read_input_token_cost", "cache_read_mtok"),
    ("cache_write", "cache_creation_input_token_cost", "cache_write_mtok"),
]


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    today = datetime.datetime.now(datetime.timezone.utc).date()
    options.add_argument("--as-of", type=datetime.date.fromisoformat, default=today, help="the day of the comparison")
    as_of = options.parse_args().as_of
    rows = {}
    for kind, model, listed in taken(litellm()):
        if (kind, model) not in rows:
            rows[kind, model] = row(kind, model, listed, as_of)
    leave_out_disputed_limits(rows)
    rows = [rows[key] for key in sorted(rows) if says_something(rows[key])]
    CATALOGUE.write_text("[\n" + ",\n".join("  " + json.dumps(it) for it in rows) + "\n]\n", encoding="utf-8")
    print(f"{CATALOGUE.name}: {len(rows)} rows", file=sys.stderr)


def litellm():
    """LiteLLM's list, read without importing its package."""
    folders = importlib.util.find_spec("litellm").submodule_search_locations
    return json.loads((Path(folders[0]) / LITELLM).read_text(encoding="utf-8"))


def taken(listed):
    """Kind, name and entry of the models that the catalogue takes."""
    for name, entry in listed.items():
        if entry.get("mode") not in ("chat", "responses"):
            continue
        for provider, wanted, unwanted, kind in TAKEN:
            if entry.get("litellm_provider") != provider or unwanted and re.search(unwanted, name):
                continue
            if found := re.fullmatch(wanted, name):
                yield kind, found[1], entry


def row(kind, model, listed, as_of):
    provider = next(it for it in genai_providers if it.id == KINDS[kind])
    other = provider.find_model(model)
    made = {"kind": kind, "model": model}
    limits(made, listed, other)
    abilities(made, listed)
    prices(made, listed, other, as_of)
    made["as_of"] = as_of.isoformat()
    source = listed.get("source") or ""
    made["source"] = source if source.startswith("https://") else provider.pricing_urls[0]
    return made


def limits(made, listed, other):
    """The window, where the lists agree or one is silent: LiteLLM may count it without the answer."""
    tokens_in, tokens_out = listed.get("max_input_tokens"), listed.get("max_output_tokens")
    window = other and other.context_window
    if window and tokens_in and window in (tokens_in, tokens_in + (tokens_out or 0)):
        made["context"] = window
    elif tokens_in and not window and made["kind"] != "openai":
        made["context"] = tokens_in
    elif tokens_in and made["kind"] in ("gemini", "vertex") and abs(window - tokens_in) / tokens_in < 0.06:
        # One of them rounds.
        made["context"] = tokens_in
    else:
        left_out(made, "context", f"{tokens_in} (and {tokens_out}) or {window}")
    if tokens_out and tokens_in and tokens_out < tokens_in:
        made["max_output"] = tokens_out


def abilities(made, listed):
    """By LiteLLM alone. What it does not say is not known, but for what is neither text nor listed as input."""
    kinds = listed.get("supported_modalities")
    caps, lacks = [], []
    for cap, word, kind in CAPS:
        text_only = "gpt-oss" in made["model"] or cap == "audio" and "claude" in made["model"]
        denied = kinds is not None and kind not in kinds or text_only
        if listed.get(word) is True:
            caps.append(cap)
        elif kind and (denied or listed.get(word) is False and kind not in (kinds or [])):
            lacks.append(cap)
    made.update({word: found for word, found in (("caps", caps), ("lacks", lacks)) if found})


def prices(made, listed, other, as_of):
    """Where both lists have the same."""
    if other is None:
        left_out(made, "prices", "in one list only")
        return
    noon = datetime.datetime.combine(as_of, datetime.time(12), datetime.timezone.utc)
    theirs = other.get_prices(noon)
    agreed = {}
    for word, ours, name in PRICES:
        # Of prices in steps, the first.
        price = getattr(theirs, name, None)
        price = getattr(price, "base", price)
        cost = listed.get(ours)
        if cost is not None and price is not None and Decimal(repr(cost)) * 10**6 == Decimal(str(price)):
            agreed[word] = f"${Decimal(str(price)).normalize():f}/Mtok"
    if "input" in agreed and "output" in agreed:
        made.update(agreed)
    else:
        left_out(made, "prices", "the lists disagree")


def leave_out_disputed_limits(rows):
    """Platforms say different things about the longest answer of one Claude: only its maker's is certain."""
    for (kind, model), made in rows.items():
        own = rows.get(("anthropic", model.rpartition("anthropic.")[2]))
        if own and kind != "anthropic" and made.get("max_output") != own.get("max_output"):
            made.pop("max_output", None)
            left_out(made, "max_output", "not what its maker says")


def says_something(made):
    facts = {"context", "max_output", "caps", "lacks", "input"} & made.keys()
    if not facts:
        left_out(made, "the row", "nothing is certain")
    return bool(facts)


def left_out(made, fact, why):
    print(f"{made['kind']} {made['model']}: without {fact}: {why}", file=sys.stderr)


if __name__ == "__main__":
    main()
