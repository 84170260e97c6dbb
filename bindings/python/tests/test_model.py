"""The binding of leat/model.h: results beside `leat run`, lifetimes, errors, threads."""
import gc
import os
import subprocess
import tempfile
import threading
import time
import unittest
from pathlib import Path

import numpy as np

import leat

ROOT = Path(__file__).resolve().parents[3]
LEAT = os.path.abspath(os.path.join(os.environ.get("LEAT_BUILD", ROOT / "build"), "leat"))
MODEL = ROOT / "models" / "abacus_cells.onnx"


def picture(batch=1, side=64, seed=1):
    return np.random.default_rng(seed).random((batch, 3, side, side), np.float32)


class Run(unittest.TestCase):
    def setUp(self):
        self.model = leat.Model(MODEL)
        self.addCleanup(self.model.close)

    def test_same_as_leat_run(self):
        with tempfile.TemporaryDirectory() as folder:
            for batch in (1, 3):
                image = picture(batch)
                np.save(f"{folder}/x.npy", image)
                subprocess.run([LEAT, "run", str(MODEL), "--input", f"image={folder}/x.npy", "--output-dir", folder], check=True, capture_output=True)
                expected = np.load(f"{folder}/logits.npy")
                for _ in range(3):
                    np.testing.assert_array_equal(self.model.run({"image": image})["logits"], expected)

    def test_declared_values(self):
        self.assertEqual(self.model.inputs, (leat.ValueInfo("image", "float32", ("batch", 3, "height", "width")),))
        self.assertEqual([v.name for v in self.model.outputs], ["logits"])
        self.assertEqual(self.model.info.graph_name, "abacus_cells")
        self.assertEqual(sum(o.count for o in self.model.operators), self.model.info.nodes_file)
        self.assertEqual(self.model.unsupported, [])
        self.assertIn("digraph", self.model.dump("dot"))
        self.assertRaises(leat.InvalidError, self.model.dump, "xml")

    def test_results_are_the_callers(self):
        with self.model.context() as context:
            image = picture()
            first = context.run([image])["logits"]
            copy = first.copy()
            second = context.run([image])["logits"]
            other = context.run([picture(seed=9)])["logits"]
            np.testing.assert_array_equal(first, copy)
            np.testing.assert_array_equal(second, copy)
            self.assertFalse(np.array_equal(other, copy))
            context.run([picture(4, 128)])  # another plan, a larger arena
        self.model.close()
        gc.collect()
        np.testing.assert_array_equal(second, copy)

    def test_no_copy_and_no_allocation_in_a_loop(self):
        with self.model.context() as context:
            image = picture()
            context.run([image])
            del_me = context.run([image])["logits"]
            address = del_me.ctypes.data
            del del_me
            for _ in range(5):
                self.assertEqual(context.run()["logits"].ctypes.data, address)
            before = leat.memory()["allocations"]
            context.run()
            self.assertEqual(leat.memory()["allocations"], before)
            image *= 0  # read in place: what is written between two runs counts
            np.testing.assert_array_equal(context.run()["logits"], self.model.run([np.zeros_like(image)])["logits"])

    def test_lists_strides_and_types(self):
        image = picture()
        expected = self.model.run([image])["logits"]
        np.testing.assert_array_equal(self.model.run([image.tolist()])["logits"], expected)
        turned = np.asarray(image.transpose(0, 2, 3, 1), order="C").transpose(0, 3, 1, 2)
        self.assertFalse(turned.flags.c_contiguous)
        np.testing.assert_array_equal(self.model.run([turned])["logits"], expected)
        for wrong, status in ((image.astype(np.float64), leat.Status.ETYPE), (image.astype(">f4"), leat.Status.ETYPE), (image[0], leat.Status.ESHAPE),
                              (image[:, :2], leat.Status.ESHAPE), (np.array(["a"]), leat.Status.ETYPE)):
            with self.assertRaises(leat.InvalidError) as caught:
                self.model.run([wrong])
            self.assertEqual(caught.exception.status, status)
            self.assertIn("image", caught.exception.message)
        self.assertRaises(leat.InvalidError, self.model.run, {"picture": image})
        self.assertRaises(leat.InvalidError, self.model.run, [image, image])

    def test_async_and_cancel(self):
        with self.model.context() as context:
            image = picture(8, 256)
            expected = context.run([image])["logits"]
            context.start()
            got = context.wait()["logits"]
            np.testing.assert_array_equal(got, expected)
            refused = 0
            for _ in range(20):
                context.start()
                try:
                    context.run()
                except leat.StateError:
                    refused += 1
                context.wait()
            self.assertGreater(refused, 0)
            context.cancel()
            self.assertRaises(leat.CancelledError, context.run)
            np.testing.assert_array_equal(context.run()["logits"], expected)
            context.start()
            while context.wait(0.001) is None:
                pass
            self.assertTrue(context.poll())

    def test_gil_is_released(self):
        with self.model.context() as context:
            image = picture(32, 256)
            context.prepare([image])
            ticks, done = [0], threading.Event()

            def count():
                while not done.is_set():
                    ticks[0] += 1
                    time.sleep(0)

            thread = threading.Thread(target=count)
            thread.start()
            context.run()
            before = ticks[0]
            context.warmup(2)
            after = ticks[0]
            done.set()
            thread.join()
            self.assertGreater(after - before, 10)


class Lifetime(unittest.TestCase):
    def test_contexts_outlive_their_model(self):
        model = leat.Model(MODEL)
        context = model.context()
        expected = model.run([picture()])["logits"]
        model.close()
        del model
        gc.collect()
        np.testing.assert_array_equal(context.run([picture()])["logits"], expected)
        context.close()
        self.assertRaises(leat.StateError, context.run)
        context.close()

    def test_views_of_constants_keep_the_model(self):
        held = leat.memory()["graph"]
        model = leat.Model(MODEL)
        name = next(n for n in self._constants(model))
        view = model.constant(name)
        copy = view.copy()
        self.assertFalse(view.flags.writeable)
        model.close()
        del model
        gc.collect()
        np.testing.assert_array_equal(view, copy)
        del view
        gc.collect()
        self.assertEqual(leat.memory()["graph"], held)

    @staticmethod
    def _constants(model):
        import json
        text = model.dump("json")
        stack = [json.loads(text)]
        while stack:
            item = stack.pop()
            if isinstance(item, dict):
                stack.extend(item.values())
            elif isinstance(item, list):
                stack.extend(item)
            elif isinstance(item, str):
                try:
                    if model.constant(item).size > 4:
                        yield item
                except leat.LeatError:
                    pass

    def test_everything_is_freed(self):
        held = {tag: n for tag, n in leat.memory().items() if tag not in ("peak", "allocations")}
        for _ in range(3):
            model = leat.Model(MODEL)
            model.run([picture()])
            model.context().run([picture(2)])
            del model
        gc.collect()
        self.assertEqual({tag: leat.memory()[tag] for tag in held}, held)

    def test_from_bytes(self):
        with leat.Model(MODEL) as one, leat.Model.from_bytes(MODEL.read_bytes()) as two:
            gc.collect()
            np.testing.assert_array_equal(one.run([picture()])["logits"], two.run([picture()])["logits"])

    def test_close_during_a_run(self):
        model = leat.Model(MODEL)
        for _ in range(10):
            context = model.context()
            image = picture(16, 128)
            context.prepare([image])
            outcome = []

            def work():
                try:
                    while True:
                        context.run()
                except leat.LeatError as error:
                    outcome.append(error.status)

            thread = threading.Thread(target=work)
            thread.start()
            time.sleep(0.003)
            context.close()
            thread.join(30)
            self.assertFalse(thread.is_alive())
            self.assertIn(outcome[0], (leat.Status.ECANCELLED, leat.Status.ESTATE))
        model.close()

    def test_one_call_at_a_time(self):
        with leat.Model(MODEL) as model, model.context() as context:
            context.prepare([picture(32, 256)])
            thread = threading.Thread(target=context.warmup, args=(3,))
            thread.start()
            refused = False
            while thread.is_alive() and not refused:
                try:
                    context.stats
                except leat.StateError as error:
                    refused = "another call" in error.message
            thread.join()
            self.assertTrue(refused)


class Failures(unittest.TestCase):
    def test_open(self):
        with self.assertRaises(leat.LeatError) as caught:
            leat.Model("no/such.onnx")
        self.assertEqual(caught.exception.status, leat.Status.EIO)
        self.assertIn("no/such.onnx", str(caught.exception))
        self.assertRaises(leat.FormatError, leat.Model, __file__)
        self.assertRaises(leat.LeatError, leat.Model, "a\0b")
        self.assertRaises(leat.FormatError, leat.Model.from_bytes, b"\xff" * 100)
        self.assertRaises(ValueError, leat.Model.from_bytes, b"\xff" * 100)

    def test_run_without_input(self):
        with leat.Model(MODEL) as model:
            self.assertRaises(leat.StateError, model.run, {})
            self.assertRaises(leat.InvalidError, model.context, keep="nothing of that name")

    def test_statuses_are_the_headers(self):
        from leat._library import lib
        for status in leat.Status:
            self.assertEqual(lib.leat_status_name(status).decode(), f"LEAT_{status.name}")


if __name__ == "__main__":
    unittest.main()
