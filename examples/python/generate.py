"""generate.py - a language model in one page: open it, continue a text, show it as it comes.

    pip install ./bindings/python && python3 examples/python/generate.py model.gguf 'Once upon a time'
"""
import sys

import leat
from leat import lm


def main() -> int:
    if len(sys.argv) != 3:
        print("usage: generate.py MODEL.gguf PROMPT", file=sys.stderr)
        return 2
    try:
        with lm.Model(sys.argv[1]) as model, model.session() as session:
            stream = session.stream(sys.argv[2], max_tokens=60, temperature=0)
            for piece in stream:
                print(piece.text, end="", flush=True)
            print(f"\n({len(stream.result.tokens)} tokens, ended by: {stream.result.finish})")
    except leat.LeatError as error:
        print(f"generate: {error.message}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
