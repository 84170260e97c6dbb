"""The binding of leat/lm.h and leat/generate.h: results beside `leat generate`, callbacks, streams, threads, lifetimes."""
import gc
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path

import numpy as np

import leat
from leat import lm

ROOT = Path(__file__).resolve().parents[3]
LEAT = os.path.abspath(os.path.join(os.environ.get("LEAT_BUILD", ROOT / "build"), "leat"))
SHARED = Path(os.environ.get("LEAT_SHARED", ROOT.parent / "shared"))
STORIES = SHARED / "models" / "llm" / "stories260K.gguf"
MODEL = Path(os.environ.get("LEAT_TEST_LM") or (STORIES if STORIES.exists() else next(iter(sorted((ROOT / "models").glob("*.gguf"))), "none")))
PROMPT = "Once upon a time"
FOREVER = {"max_tokens": 480, "temperature": 0, "ignore_eos": True}


with_model = unittest.skipUnless(MODEL.exists(), "no language model")


@with_model
class Session(unittest.TestCase):
    def setUp(self):
        self.model = lm.Model(MODEL)
        self.session = self.model.session(context=512)
        self.addCleanup(self.model.close)
        self.addCleanup(self.session.close)

    def greedy(self, **options):
        return self.session.generate(PROMPT, **{"max_tokens": 40, "temperature": 0, **options})


class Generate(Session):
    def test_same_as_leat_generate(self):
        out = subprocess.run([LEAT, "generate", "-m", str(MODEL), "-p", PROMPT, "-n", "40", "--temp", "0", "--json"], check=True, capture_output=True)
        expected = json.loads(out.stdout)
        made = self.greedy()
        self.assertEqual(made.tokens.tolist(), expected["tokens"])
        self.assertEqual(made.text, expected["text"])

    def test_result(self):
        made = self.greedy(logprobs=True, n_top=3, prompt_logits=True)
        self.assertEqual(len(made.tokens), 40)
        self.assertEqual(made.finish, "length")
        self.assertEqual(made.prompt_tokens, len(self.model.tokenize(PROMPT)))
        self.assertEqual(made.prompt_logits.shape, (made.prompt_tokens, self.model.info.vocabulary))
        self.assertEqual(int(made.prompt_logits[-1].argmax()), int(made.tokens[0]))
        np.testing.assert_array_equal(made.top_tokens[:, 0], made.tokens)
        np.testing.assert_allclose(made.top_logprobs[:, 0], made.logprobs)
        row = made.prompt_logits[-1].astype(np.float64)
        self.assertAlmostEqual(float(made.logprobs[0]), float(row.max() - np.log(np.exp(row - row.max()).sum()) - row.max()), 4)
        self.assertGreater(made.total_ns, made.decode_ns)
        again = self.greedy()
        np.testing.assert_array_equal(again.tokens, made.tokens)
        self.assertGreater(again.cached_tokens, 0)
        self.assertIsNone(again.logprobs)

    def test_no_limit_but_the_context(self):
        made = self.session.generate(PROMPT, max_tokens=-1, temperature=0, ignore_eos=True)
        self.assertEqual(made.finish, "context")
        self.assertGreater(len(made.tokens), 500)
        self.assertEqual(len(self.greedy(max_tokens=0).tokens), 0)

    def test_sampling_options(self):
        one, two = (self.greedy(temperature=1, seed=5, top_k=0).tokens.tolist() for _ in range(2))
        self.assertEqual(one, two)
        self.assertNotEqual(self.greedy(temperature=1, seed=6, top_k=0).tokens.tolist(), one)
        first = int(self.greedy(max_tokens=1).tokens[0])
        self.assertNotEqual(int(self.greedy(max_tokens=1, logit_bias={first: float("-inf")}).tokens[0]), first)
        word = self.greedy().text.split()[5]
        stopped = self.greedy(stop=["\x01", word])
        self.assertEqual(stopped.finish, "stop")
        self.assertNotIn(word, stopped.text)
        self.assertEqual(self.greedy(stop=word).text, stopped.text)
        self.assertRaises(TypeError, self.greedy, temprature=1)
        self.assertRaises(leat.InvalidError, self.greedy, temperature=-1)
        self.assertRaises(leat.InvalidError, self.greedy, stop="a\0b")
        self.assertRaises(leat.InvalidError, self.greedy, n_top=65)
        self.assertRaises(leat.LeatError, self.session.generate, np.arange(100) * 10**6)
        self.assertRaises(leat.LeatError, self.session.generate, [1] * 10000)
        self.assertRaises(TypeError, self.session.generate, None)

    def test_integers_are_not_cut(self):  # to the width of a C field, where 2^32 would be 0
        for wrong in ({"max_tokens": 2**70}, {"max_tokens": 2**63}, {"top_k": 2**32}, {"seed": -1}, {"seed": 2**64}, {"n_top": 2**32}, {"penalty_last": 2**31},
                      {"logit_bias": {2**32: 1}}):
            with self.assertRaises(leat.InvalidError, msg=str(wrong)) as caught:
                self.greedy(**wrong)
            self.assertIn(str(next(iter(wrong.values())) if "logit_bias" not in wrong else 2**32), str(caught.exception))
        self.assertEqual(len(self.greedy(max_tokens=np.int64(3), top_k=np.int32(5), ignore_eos=True).tokens), 3)
        for wrong in ({"context": 2**32}, {"batch": -(2**32) + 1}, {"threads": 2**32 + 1}):
            self.assertRaises(leat.InvalidError, self.model.session, **wrong)
        self.assertRaises(leat.InvalidError, lm.Model, MODEL, threads=2**32)
        self.assertRaises(leat.InvalidError, lm.Cache, -1)

    def test_grammar(self):
        made = self.greedy(grammar='root ::= ("a" | "b"){3} " end"')
        self.assertRegex(made.text, "^[ab]{3} end$")
        self.assertEqual(made.finish, "grammar")
        made = self.greedy(json_schema={"type": "object", "properties": {"n": {"type": "boolean"}}, "required": ["n"], "additionalProperties": False}, max_tokens=60)
        self.assertIn(json.loads(made.text)["n"], (True, False))
        with self.assertRaises(leat.FormatError) as caught:
            self.greedy(grammar="root ::= (")
        self.assertIn("line", str(caught.exception))

    def test_append_goes_on(self):
        whole = self.greedy()
        half = self.greedy(max_tokens=20)
        held = self.session.tokens.tolist()
        rest = self.session.generate(half.tokens[len(held) - half.prompt_tokens:], append=True, max_tokens=20, temperature=0)
        np.testing.assert_array_equal(np.concatenate([half.tokens, rest.tokens]), whole.tokens)

    def test_tokens(self):
        tokens = self.model.tokenize(PROMPT)
        self.assertEqual(tokens.dtype, np.int32)
        self.assertEqual(self.model.detokenize(tokens), PROMPT)
        self.assertEqual(self.model.tokenize("x" * 3000, specials=False).size, self.model.tokenize("x" * 3000).size - int(self.model.tokenizer.add_bos))
        self.assertEqual(self.model.tokenize("").size, int(self.model.tokenizer.add_bos))
        with self.assertRaises(leat.InvalidError) as caught:
            self.model.detokenize([1, 10**8])
        self.assertIn("token 1 is 100000000, not in 0..", str(caught.exception))
        self.assertRaises(leat.LeatError, self.model.detokenize, [0.5])

    def test_sync_and_logits(self):
        tokens = self.model.tokenize(PROMPT)
        every = self.session.sync_logits(tokens)
        self.session.sync(tokens)
        logits = self.session.logits()
        self.assertFalse(logits.flags.writeable)
        np.testing.assert_allclose(every[-1], logits, atol=1e-3)
        np.testing.assert_array_equal(self.session.tokens, tokens)
        self.session.sync(tokens[:2])
        np.testing.assert_array_equal(self.session.tokens, tokens[:2])
        self.session.sync([])
        self.assertRaises(leat.StateError, self.session.logits)

    def test_embed_is_a_view(self):
        vector = self.session.embed(PROMPT)
        self.assertAlmostEqual(float(np.linalg.norm(vector)), 1, 4)
        kept = vector.copy()
        other = self.session.embed(self.model.tokenize("The dog"), pooling="last")
        self.assertEqual(other.ctypes.data, vector.ctypes.data)
        np.testing.assert_array_equal(self.session.embed(PROMPT), kept)
        self.session.close()
        gc.collect()
        np.testing.assert_array_equal(vector, kept)  # the memory stays as long as the view
        self.assertRaises(leat.StateError, self.session.embed, PROMPT)
        self.assertRaises(leat.InvalidError, self.model.session().embed, PROMPT, pooling="median")

    def test_chat(self):
        talk = [{"role": "system", "content": "Be short."}, {"role": "user", "content": "Hello " * 500}]
        prompt = self.model.chat_prompt(talk, format="chatml")
        self.assertTrue(prompt.startswith("<|im_start|>system\nBe short.<|im_end|>\n<|im_start|>user\nHello"))
        self.assertTrue(prompt.endswith("<|im_end|>\n<|im_start|>assistant\n"))
        self.assertFalse(self.model.chat_prompt(talk, format="chatml", reply=False).endswith("assistant\n"))
        self.assertRaises(leat.InvalidError, self.model.chat_prompt, talk, format="no such format")
        try:
            self.assertTrue(self.model.chat_format)
        except leat.UnsupportedError:  # a model that tells tales
            self.assertRaises(leat.UnsupportedError, self.session.chat, talk)

    def test_save_and_load(self):
        whole = self.greedy()
        with tempfile.TemporaryDirectory() as folder:
            self.greedy(max_tokens=10)
            self.session.save(f"{folder}/kept")
            with self.model.session(context=512) as other:
                other.load(f"{folder}/kept")
                np.testing.assert_array_equal(other.tokens, self.session.tokens)
                made = other.generate(PROMPT, max_tokens=40, temperature=0)
                np.testing.assert_array_equal(made.tokens, whole.tokens)
            self.assertRaises(leat.LeatError, self.session.load, __file__)
            self.assertRaises(leat.LeatError, self.session.save, f"{folder}/none/x")


class Callbacks(Session):
    def test_pieces_are_the_text(self):
        pieces = []
        made = self.greedy(on_token=pieces.append, n_top=2)
        self.assertEqual("".join(p.text for p in pieces), made.text)
        self.assertEqual([p.token for p in pieces if p.token >= 0], made.tokens.tolist())
        self.assertEqual(pieces[3].top[0][0], pieces[3].token)

    def test_false_stops(self):
        made = self.greedy(on_token=lambda piece: piece.index < 4)
        self.assertEqual((len(made.tokens), made.finish), (5, "callback"))

    def test_raising_ends_it(self):
        def fail(piece):
            if piece.index == 3:
                raise KeyError("mine")

        self.assertRaisesRegex(KeyError, "mine", self.greedy, on_token=fail)
        self.assertEqual(len(self.greedy().tokens), 40)

    def test_cancel_and_close_from_a_callback(self):
        with self.assertRaises(leat.CancelledError) as caught:
            self.greedy(on_token=lambda piece: self.session.cancel() if piece.index == 3 else None)
        self.assertEqual(caught.exception.generation.finish, "cancelled")
        self.assertGreaterEqual(len(caught.exception.generation.tokens), 4)
        with self.assertRaises(leat.StateError):
            self.greedy(on_token=lambda piece: self.session.stats)
        try:
            self.greedy(on_token=lambda piece: self.session.close())
        except leat.CancelledError:
            pass
        self.assertRaises(leat.StateError, self.greedy)

    def test_cancel_from_another_thread(self):
        for delay in (0, 0.001, 0.01):
            started = threading.Event()
            result = self.session.start(PROMPT, on_token=lambda piece: started.set(), **FOREVER)
            started.wait(30)
            time.sleep(delay)
            self.session.cancel()
            failure = result.exception(30)
            self.assertIsInstance(failure, (leat.CancelledError, type(None)))
        self.assertEqual(len(self.greedy().tokens), 40)

    def test_cancel_right_behind_start(self):  # whatever comes first, the library's thread or the cancel
        for _ in range(50):
            result = self.session.start(PROMPT, **FOREVER)
            self.session.cancel()
            self.assertIsInstance(result.exception(30), leat.CancelledError)
            stream = self.session.stream(PROMPT, **FOREVER)
            with self.assertRaisesRegex(leat.StateError, "another call is using"):
                self.greedy()
            stream.close()
            try:
                self.assertEqual(stream.result.finish, "callback")
            except leat.CancelledError:
                pass
        self.assertEqual(len(self.greedy().tokens), 40)

    def test_wrong_requests_reach_the_future(self):
        for wrong in ({"max_tokens": -2}, {"grammar": "root ::= ("}, {"no_such_option": 1}):
            self.assertIsInstance(self.session.start(PROMPT, **wrong).exception(30), (leat.LeatError, TypeError))
        self.assertEqual(len(self.session.start(PROMPT, max_tokens=3).result(30).tokens), 3)

    def test_exit_while_it_runs(self):
        program = "import sys, leat.lm as lm; s = lm.Model(sys.argv[1]).session(); st = s.stream(sys.argv[2], max_tokens=-1, ignore_eos=True); print(next(st).index)"
        for _ in range(3):
            made = subprocess.run([sys.executable, "-c", program, str(MODEL), PROMPT], capture_output=True, text=True, timeout=60)
            self.assertEqual((made.returncode, made.stdout, made.stderr), (0, "0\n", ""))

    def test_close_during_a_generation(self):
        for delay in (0, 0.0005, 0.005):
            session = self.model.session(context=512)
            result = session.start(PROMPT, **FOREVER)
            time.sleep(delay)
            session.close()
            self.assertIsInstance(result.exception(30), (leat.CancelledError, leat.StateError, type(None)))

    def test_ctrl_c(self):  # whatever the moment, it comes out as KeyboardInterrupt, and the session is free soon
        calls = (lambda: self.session.generate(PROMPT, **FOREVER), lambda: self.session.generate(PROMPT, on_token=lambda piece: None, **FOREVER),
                 lambda: lm.generate_batch([self.session], [PROMPT, "Tom"], max_tokens=100))
        for moment in range(45):
            with self.assertRaises(KeyboardInterrupt):
                timer = threading.Timer(moment / 3000, lambda: signal.pthread_kill(threading.main_thread().ident, signal.SIGINT))
                timer.start()
                while True:
                    calls[moment % 3]()
            timer.join()
            deadline = time.monotonic() + 30
            while True:
                try:
                    self.assertEqual(len(self.greedy(max_tokens=3).tokens), 3)
                    break
                except leat.StateError:
                    self.assertLess(time.monotonic(), deadline)


class Streams(Session):
    def test_stream_is_the_generation(self):
        expected = self.greedy()
        stream = self.session.stream(PROMPT, max_tokens=40, temperature=0)
        self.assertEqual("".join(piece.text for piece in stream), expected.text)
        np.testing.assert_array_equal(stream.result.tokens, expected.tokens)
        self.assertRaises(StopIteration, next, stream)

    def test_a_reader_that_leaves(self):
        for leave in range(4):
            for piece in self.session.stream(PROMPT, **FOREVER):
                if piece.index == leave:
                    break
            deadline = time.monotonic() + 30
            while True:  # the dropped stream ends within a token
                try:
                    self.greedy(max_tokens=2)
                    break
                except leat.StateError:
                    self.assertLess(time.monotonic(), deadline)
                    time.sleep(0.001)
        with self.session.stream(PROMPT, **FOREVER) as stream:
            next(stream)
        self.assertEqual(len(self.greedy().tokens), 40)

    def test_a_reader_that_never_reads(self):
        stream = self.session.stream(PROMPT, **FOREVER)
        self.assertEqual(stream.result.finish, "length")
        full = lm._WAITING_PIECES
        lm._WAITING_PIECES = 3
        try:
            held_up = self.session.stream(PROMPT, **FOREVER)
            time.sleep(0.02)
            self.assertRaises(leat.StateError, self.greedy)
            self.session.close()  # must not wait for the reader
            with self.assertRaises(leat.LeatError):
                held_up.result
        except AssertionError:
            raise
        finally:
            lm._WAITING_PIECES = full

    def test_failures_reach_the_reader(self):
        stream = self.session.stream(PROMPT, grammar="root ::= (")
        self.assertRaises(leat.FormatError, next, stream)
        self.assertRaises(leat.LeatError, lambda: stream.result)
        self.assertRaises(TypeError, list, self.session.stream(PROMPT, unknown=1))


class Batch(Session):
    def test_batch_is_each_alone(self):
        prompts = ["The dog", "A little girl", "Tom", "One day, a bird", "Lily"]
        expected = [self.session.generate(p, max_tokens=20, temperature=0).text for p in prompts]
        sessions = [self.model.session(context=256) for _ in range(3)]
        heard = {}
        made = lm.generate_batch(sessions, prompts, max_tokens=20, temperature=0)
        self.assertEqual([m.text for m in made], expected)
        made = lm.generate_batch(sessions, prompts, max_tokens=20, temperature=0, on_token=lambda i, p: heard.setdefault(i, []).append(p.text))
        self.assertEqual(["".join(heard[i]) for i in range(5)], expected)
        self.assertEqual(lm.generate_batch(sessions, []), [])
        mixed = lm.generate_batch(sessions, [prompts[0], [10**7], prompts[1]], max_tokens=20, temperature=0, return_errors=True)
        self.assertEqual([mixed[0].text, mixed[2].text], expected[:2])
        self.assertIsInstance(mixed[1], leat.LeatError)
        with self.assertRaises(ZeroDivisionError):
            lm.generate_batch(sessions, prompts, on_token=lambda i, p: 1 // 0)
        self.assertRaises(leat.StateError, lm.generate_batch, [sessions[0], sessions[0]], prompts)
        for session in sessions:
            session.close()

    def test_sessions_in_threads(self):
        expected = self.greedy().text
        results = [self.model.session(context=128).start(PROMPT, max_tokens=40, temperature=0) for _ in range(4)]
        self.model.close()
        self.assertEqual([r.result(60).text for r in results], [expected] * 4)


@with_model
class Lifetime(unittest.TestCase):
    def test_session_keeps_the_model(self):
        model = lm.Model(MODEL)
        session = model.session(context=128)
        expected = session.generate(PROMPT, max_tokens=8, temperature=0).text
        model.close()
        del model
        gc.collect()
        self.assertEqual(session.generate(PROMPT, max_tokens=8, temperature=0).text, expected)
        self.assertEqual(session.model.info.vocabulary, len(session.logits()))

    def test_from_bytes(self):
        session = lm.Model.from_bytes(MODEL.read_bytes()).session(context=64)
        gc.collect()
        with lm.Model(MODEL) as model:
            self.assertEqual(session.generate(PROMPT, max_tokens=8, temperature=0).text,
                             model.generate(PROMPT, max_tokens=8, temperature=0).text)

    def test_everything_is_freed(self):
        def held():
            gc.collect()
            return {tag: n for tag, n in leat.memory().items() if tag not in ("peak", "allocations")}

        before = held()
        for _ in range(3):
            session = lm.Model(MODEL).session(context=64)
            session.generate(PROMPT, max_tokens=4)
            vector = session.embed(PROMPT)
            del session, vector
        self.assertEqual(held(), before)

    def test_cache(self):
        with lm.Cache() as cache:
            one, two = cache.get(MODEL), cache.get(MODEL)
            self.assertEqual((cache.stats.models, cache.stats.hits, cache.stats.misses), (1, 1, 1))
            one.close()
            self.assertGreater(two.tokenize(PROMPT).size, 0)
            with self.assertRaisesRegex(leat.LeatError, "no/such.gguf: .*No such file"):
                cache.get("no/such.gguf")
        self.assertGreater(two.tokenize(PROMPT).size, 0)
        self.assertRaises(leat.StateError, cache.get, MODEL)

    def test_closing_is_the_same_for_all(self):
        onnx = leat.Model(ROOT / "models" / "abacus_cells.onnx")
        model = lm.Model(MODEL)
        for made in (onnx.context(), onnx, model.session(), model, lm.Cache()):
            self.assertIs(made.closed, False)
            with made as same:
                self.assertIs(same, made)
            self.assertIs(made.closed, True)
            made.close()  # again: nothing
            with made:  # harmless, what is called inside says that it is closed
                pass

    def test_open_failures(self):
        with self.assertRaises(leat.LeatError) as caught:
            lm.Model("no/such.gguf")
        self.assertEqual(caught.exception.status, leat.Status.EIO)
        self.assertRaises(leat.FormatError, lm.Model, __file__)
        with lm.Model(MODEL) as model:
            self.assertRaises(leat.InvalidError, model.session, kv_type="int3")
            self.assertRaises(leat.LeatError, model.session, context=-1)
            self.assertGreater(model.info.parameters, 1000)
            self.assertIn("leat.lm.Model", repr(model))


del Session  # a base, not a suite

if __name__ == "__main__":
    unittest.main()
