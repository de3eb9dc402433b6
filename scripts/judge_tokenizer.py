#!/usr/bin/env python3
"""Compares `ggufc tokenize` with Hugging Face's tokenizers on random texts. No part of the test run: needs PyPI.

    python3 -m venv /tmp/judge && /tmp/judge/bin/pip install tokenizers
    scripts/fetch_tokenizer.sh                                  # build/cache/tokenizer.json
    /tmp/judge/bin/python scripts/judge_tokenizer.py [--ggufc build/release/bin/ggufc]
        [--tokenizer build/cache/tokenizer.json] [--texts 5000] [--seed 1] [--seeds 1] [--plain]

Makes a model of one small layer with the vocabulary of tokenizer.json (`ggufc synth`), gives both sides the same
texts, and prints the first differences. Exit status: 0 when all ids are equal, 1 when some differ. --plain draws texts
without the spellings of control tokens and compares `ggufc tokenize --plain-text`.

The texts are runs of spaces, U+2581, newlines and tabs, HTML tags whole and broken, every added piece of the file,
words, letters, accents composed and not, CJK, emoji and random code points, each next to each.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile

MARK = "\u2581"
WORDS = ["the", "The", "embedding", "ing", "naïve", "поиск", "日本語", "l’été", "'s", "...", "1,234", "don't", "x",
         "function(a, b)", "https://a.b/c?d=e", "नमस्ते", "한국어", "العربية", "tiếng Việt"]
BROKEN = ["<h1", "</", "<>", "<unused", "<0x41>", "<0x", "h1>", "<bos", "[multimodal", "<start_of_", "</h", "<<b>>"]
MARKS = ["\u0301", "\u0308", "\u200d", "\ufe0f", "\u200e", "\u061c", "\u00a0", "\u3000"]
EMOJI = ["😀", "👩‍👩‍👧", "🇩🇪", "👍🏽", "❤️"]


def code_point(rng):
    code = rng.randrange(0x3000) if rng.random() < 0.5 else rng.randrange(0x110000)
    return chr(code + 0x1000 if 0xD800 <= code < 0xE000 else code)


def make_text(rng, added):
    run = lambda: 1 + (rng.randrange(70) if rng.random() < 0.1 else rng.randrange(4))
    choices = [
        (4, lambda: " " * run()),
        (4, lambda: MARK * run()),
        (1, lambda: "".join(rng.choice([" ", MARK]) for _ in range(run()))),
        (2, lambda: rng.choice("\n\t") * run()),
        (1, lambda: rng.choice(["\r\n", "\r", "\x00", "\x7f", "\v"])),
        (3, lambda: rng.choice(added)),
        (1, lambda: rng.choice(BROKEN)),
        (3, lambda: rng.choice(WORDS)),
        (3, lambda: rng.choice("abcdefghijklmnopqrstuvwxyzABCXYZ0123456789.,;:!?-_'\"()[]{}<>/\\")),
        (1, lambda: rng.choice("éèüñçøåßőřžıſ")),
        (1, lambda: rng.choice(MARKS)),
        (1, lambda: rng.choice(EMOJI)),
        (1, lambda: code_point(rng)),
    ]
    weights, makers = zip(*choices)
    count = rng.randrange(1, 40)
    return "".join(make() for make in rng.choices(makers, weights, k=count))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--ggufc", default="build/release/bin/ggufc")
    parser.add_argument("--tokenizer", default="build/cache/tokenizer.json")
    parser.add_argument("--texts", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=1, help="this many seeds, from --seed on")
    parser.add_argument("--plain", action="store_true")
    args = parser.parse_args()

    from tokenizers import Tokenizer

    with open(args.tokenizer, encoding="utf-8") as file:
        added = json.load(file)["added_tokens"]
    judge = Tokenizer.from_file(args.tokenizer)
    with tempfile.TemporaryDirectory() as folder:
        model = os.path.join(folder, "judge.gguf")
        vocab = 262144
        shape = ["--layers", "1", "--dim", "32", "--heads", "1", "--head-dim", "32", "--ffn", "32", "--dense", "0",
                 "--vocab", str(vocab), "--tokenizer", args.tokenizer]
        subprocess.run([args.ggufc, "synth", "-o", model, *shape], check=True)
        # The model has no room for the rest, as Gemma's own GGUF has none for <image_soft_token>.
        special = [token["content"] for token in added if token["special"] and token["id"] < vocab]
        pieces = [token["content"] for token in added if not token["special"] and token["id"] < vocab]
        left_out = [token["content"] for token in added if token["id"] >= vocab]
        # Control tokens often enough to be beside everything else.
        pool = pieces + ([] if args.plain else special * (len(pieces) // (8 * max(1, len(special)))))
        avoid = left_out + (special if args.plain else [])
        differences = 0
        for seed in range(args.seed, args.seed + args.seeds):
            rng = random.Random(seed)
            texts = []
            while len(texts) < args.texts:
                text = make_text(rng, pool)
                if not any(piece in text for piece in avoid):
                    texts.append(text)
            lines = "".join(json.dumps({"text": text}) + "\n" for text in texts)
            command = [args.ggufc, "tokenize", model, "--input", "-"] + (["--plain-text"] if args.plain else [])
            run = subprocess.run(command, input=lines.encode(), capture_output=True)
            if run.returncode != 0:
                sys.exit(f"ggufc tokenize: status {run.returncode}: {run.stderr.decode(errors='replace')}")
            ours = [json.loads(line) for line in run.stdout.splitlines()]
            if len(ours) != len(texts):
                sys.exit(f"ggufc tokenize gave {len(ours)} lines for {len(texts)} texts")
            wrong = 0
            for text, ids in zip(texts, ours):
                want = judge.encode(text, add_special_tokens=False).ids
                if ids[1:-1] == want:  # without BOS and EOS
                    continue
                wrong += 1
                differences += 1
                if differences <= 5:
                    print(f"seed {seed}: {text!r}\n  tokenizers {want}\n  ggufc      {ids[1:-1]}")
            tokens = sum(len(ids) - 2 for ids in ours)
            print(f"seed {seed}: {len(texts)} texts, {tokens} tokens, {wrong} differ")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
