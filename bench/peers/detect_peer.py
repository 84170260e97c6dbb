"""detect_peer.py - detection on video as one writes it with ONNX Runtime and OpenCV, as fast as that goes in Python.

Frames are I420 of a Y4M file, read into buffers that are used again; OpenCV converts, resizes into a padded canvas that is used again,
and makes the blob; ONNX Runtime infers; the decoder touches only anchors above the threshold; OpenCV suppresses; a SORT tracker with
one vectorised Kalman filter over all tracks and SciPy's assignment; OpenCV draws boxes and labels on the BGR frame.

    Sequential  one frame after the other, ONNX Runtime and OpenCV use all threads
    Threaded    reading and preprocessing | inference | decoding, tracking and drawing in three threads with queues of two frames;
                `sessions` > 1: so many inference threads with a session of one thread each, order restored behind them
"""
import queue
import threading
import time

import cv2
import numpy as np
import onnxruntime as ort
from scipy.optimize import linear_sum_assignment

CONF, IOU, TRACK_IOU, MAX_AGE = 0.25, 0.45, 0.3, 30
OPEN_SIDE = 512  # of networks that take any size
STAGES = ("source", "preprocess", "infer", "decode", "nms", "track", "draw")


class Clip:
    """Frames of a Y4M file (4:2:0), round after round."""

    def __init__(self, path):
        self.file = open(path, "rb", buffering=0)
        header = self.file.readline().split()
        size = {field[:1]: field[1:] for field in header[1:]}
        self.width, self.height = int(size[b"W"]), int(size[b"H"])
        self.start = self.file.tell()

    def read(self, buffer):
        """Fills buffer [height * 3 / 2, width]; starts again at the end."""
        if self.file.readline() != b"FRAME\n":
            self.file.seek(self.start)
            self.file.readline()
        self.file.readinto(buffer.reshape(-1).data)


class Network:
    """A session, its preprocessing and its decoder: kind "yolox" (raw grid, BGR 0..255, top-left letterbox) or "yolov5" (RGB 0..1)."""

    def __init__(self, path, kind, threads, fit):
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        self.session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        value = self.session.get_inputs()[0]
        self.name, self.side, self.kind, self.fit = value.name, value.shape[2] if isinstance(value.shape[2], int) else OPEN_SIDE, kind, fit
        cells = [np.stack(np.meshgrid(np.arange(n), np.arange(n)), -1).reshape(-1, 2) for n in (self.side // s for s in (8, 16, 32))]
        self.grid = np.concatenate(cells).astype(np.float32)
        self.stride = np.repeat(np.float32([8, 16, 32]), [len(c) for c in cells])[:, None]

    def canvas(self):
        return np.full((self.side, self.side, 3), 114, np.uint8)

    def prepare(self, bgr, canvas):
        """Returns the blob and (scale x, scale y, left, top) of the picture in it."""
        height, width = bgr.shape[:2]
        if self.fit == "stretch":
            cv2.resize(bgr, (self.side, self.side), dst=canvas, interpolation=cv2.INTER_LINEAR)
            place = (self.side / width, self.side / height, 0, 0)
        else:
            scale = min(self.side / width, self.side / height)
            w, h = round(width * scale), round(height * scale)
            left, top = (0, 0) if self.fit == "topleft" else ((self.side - w) // 2, (self.side - h) // 2)
            canvas[top:top + h, left:left + w] = cv2.resize(bgr, (w, h), interpolation=cv2.INTER_LINEAR)
            place = (w / width, h / height, left, top)
        rgb = self.kind != "yolox"
        return cv2.dnn.blobFromImage(canvas, 1 / 255 if rgb else 1.0, swapRB=rgb), place

    def infer(self, blob):
        return self.session.run(None, {self.name: blob})[0][0]

    def decode(self, out, place):
        """Boxes [n, 4] as x y w h in source pixels, scores [n], classes [n]."""
        keep = np.flatnonzero(out[:, 4] > CONF)
        rows = out[keep]
        scores = rows[:, 5:] * rows[:, 4:5]
        classes = scores.argmax(1)
        best = scores[np.arange(len(rows)), classes]
        strong = best > CONF
        rows, best, classes, keep = rows[strong], best[strong], classes[strong], keep[strong]
        centre, size = rows[:, :2], rows[:, 2:4]
        if self.kind == "yolox":
            centre, size = (centre + self.grid[keep]) * self.stride[keep], np.exp(size) * self.stride[keep]
        corner = (centre - size / 2 - np.float32(place[2:])) / np.float32(place[:2])
        return np.concatenate([corner, size / np.float32(place[:2])], 1), best, classes


def suppress(boxes, scores, classes):
    if len(boxes) == 0:
        return boxes, scores, classes
    kept = np.asarray(cv2.dnn.NMSBoxesBatched(boxes, scores, classes, CONF, IOU), np.int64).reshape(-1)
    return boxes[kept], scores[kept], classes[kept]


class Tracker:
    """SORT: state [cx cy area-root aspect and velocities of the first three], one Kalman gain over all tracks at once."""

    def __init__(self):
        self.x, self.p = np.zeros((0, 7)), np.zeros((0, 7, 7))
        self.ids, self.age, self.next = np.zeros(0, int), np.zeros(0, int), 1
        self.f = np.eye(7)
        self.f[[0, 1, 2], [4, 5, 6]] = 1
        self.h = np.eye(4, 7)
        self.q, self.r = np.diag([1, 1, 1, 1, .01, .01, .0001]), np.diag([1.0, 1, 10, 10])
        self.p0 = np.diag([10.0, 10, 10, 10, 1e4, 1e4, 1e4])

    def boxes(self):
        area, aspect = np.maximum(self.x[:, 2], 1e-6), np.maximum(self.x[:, 3], 1e-6)
        w = np.sqrt(area * aspect)
        return np.stack([self.x[:, 0] - w / 2, self.x[:, 1] - area / w / 2, w, area / w], 1)

    def update(self, boxes):
        """Returns the track of each box."""
        self.x = self.x @ self.f.T
        self.p = self.f @ self.p @ self.f.T + self.q
        tracks = np.zeros(len(boxes), int)
        mine, theirs = self.match(self.boxes(), boxes)
        z = np.stack([boxes[:, 0] + boxes[:, 2] / 2, boxes[:, 1] + boxes[:, 3] / 2, boxes[:, 2] * boxes[:, 3],
                      boxes[:, 2] / np.maximum(boxes[:, 3], 1e-6)], 1).astype(float)
        if len(mine):
            p = self.p[mine]
            gain = p @ self.h.T @ np.linalg.inv(self.h @ p @ self.h.T + self.r)
            self.x[mine] += (gain @ (z[theirs] - self.x[mine, :4])[:, :, None])[:, :, 0]
            self.p[mine] = p - gain @ self.h @ p
        self.age += 1
        self.age[mine] = 0
        tracks[theirs] = self.ids[mine]
        fresh = np.setdiff1d(np.arange(len(boxes)), theirs)
        tracks[fresh] = np.arange(self.next, self.next + len(fresh))
        self.next += len(fresh)
        alive = self.age <= MAX_AGE
        self.x = np.concatenate([self.x[alive], np.hstack([z[fresh], np.zeros((len(fresh), 3))])])
        self.p = np.concatenate([self.p[alive], np.repeat(self.p0[None], len(fresh), 0)])
        self.ids, self.age = np.concatenate([self.ids[alive], tracks[fresh]]), np.concatenate([self.age[alive], np.zeros(len(fresh), int)])
        return tracks

    @staticmethod
    def match(a, b):
        if len(a) == 0 or len(b) == 0:
            return np.zeros(0, int), np.zeros(0, int)
        low = np.maximum(a[:, None, :2], b[None, :, :2])
        high = np.minimum(a[:, None, :2] + a[:, None, 2:], b[None, :, :2] + b[None, :, 2:])
        inner = np.clip(high - low, 0, None).prod(2)
        iou = inner / (a[:, 2:].prod(1)[:, None] + b[:, 2:].prod(1)[None] - inner + 1e-9)
        mine, theirs = linear_sum_assignment(-iou)
        good = iou[mine, theirs] >= TRACK_IOU
        return mine[good], theirs[good]


def draw(bgr, boxes, scores, classes, tracks):
    for (x, y, w, h), score, kind, track in zip(boxes.astype(int).tolist(), scores.tolist(), classes.tolist(), tracks.tolist()):
        color = ((37 * kind + 80) % 256, (97 * kind + 160) % 256, (17 * kind + 255) % 256)
        text = f"{kind} {score:.2f} #{track}"
        (tw, th), base = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 0.7, 1)
        cv2.rectangle(bgr, (x, y), (x + w, y + h), color, 3)
        cv2.rectangle(bgr, (x, y - th - base), (x + tw, y), color, cv2.FILLED)
        cv2.putText(bgr, text, (x, y - base), cv2.FONT_HERSHEY_SIMPLEX, 0.7, (0, 0, 0), 1, cv2.LINE_AA)


class Stopwatch:
    """Seconds of each stage."""

    def __init__(self):
        self.spent, self.last = dict.fromkeys(STAGES, 0.0), time.perf_counter()

    def start(self):
        self.last = time.perf_counter()

    def lap(self, stage):
        now = time.perf_counter()
        self.spent[stage] += now - self.last
        self.last = now


class Sequential:
    """Each frame through all stages before the next."""

    def __init__(self, path, kind, fit, threads):
        self.threads, self.network, self.tracker = threads, Network(path, kind, threads, fit), Tracker()
        self.canvas, self.watch, self.boxes = self.network.canvas(), Stopwatch(), 0

    def run(self, clip, frames):
        cv2.setNumThreads(self.threads)
        yuv, bgr = np.empty((clip.height * 3 // 2, clip.width), np.uint8), np.empty((clip.height, clip.width, 3), np.uint8)
        self.watch, self.boxes, start = Stopwatch(), 0, time.perf_counter()
        for _ in range(frames):
            self.watch.start()
            clip.read(yuv)
            self.watch.lap("source")
            cv2.cvtColor(yuv, cv2.COLOR_YUV2BGR_I420, dst=bgr)
            blob, place = self.network.prepare(bgr, self.canvas)
            self.watch.lap("preprocess")
            out = self.network.infer(blob)
            self.watch.lap("infer")
            found = self.network.decode(out, place)
            self.watch.lap("decode")
            found = suppress(*found)
            self.watch.lap("nms")
            tracks = self.tracker.update(found[0])
            self.watch.lap("track")
            draw(bgr, *found, tracks)
            self.watch.lap("draw")
            self.boxes += len(tracks)
        return frames / (time.perf_counter() - start)


class Threaded:
    """Three stages in threads of their own; `sessions` inference threads share the frames out."""

    def __init__(self, path, kind, fit, threads, sessions):
        self.networks = [Network(path, kind, threads, fit) for _ in range(sessions)]
        self.tracker, self.boxes = Tracker(), 0

    def feed(self, clip, frames, ready, free):
        canvas = self.networks[0].canvas()
        yuv = np.empty((clip.height * 3 // 2, clip.width), np.uint8)
        for index in range(frames):
            bgr = free.get()
            clip.read(yuv)
            cv2.cvtColor(yuv, cv2.COLOR_YUV2BGR_I420, dst=bgr)
            ready.put((index, bgr, *self.networks[0].prepare(bgr, canvas)))
        for _ in self.networks:
            ready.put(None)

    @staticmethod
    def infer(network, ready, done):
        while (item := ready.get()) is not None:
            index, bgr, blob, place = item
            done.put((index, bgr, network.infer(blob), place))
        done.put(None)

    def finish(self, done, free, frames):
        waiting, index = {}, 0
        while index < frames:
            while index not in waiting:
                item = done.get()
                if item is not None:
                    waiting[item[0]] = item
            _, bgr, out, place = waiting.pop(index)
            found = suppress(*self.networks[0].decode(out, place))
            tracks = self.tracker.update(found[0])
            draw(bgr, *found, tracks)
            self.boxes += len(tracks)
            free.put(bgr)
            index += 1

    def run(self, clip, frames):
        cv2.setNumThreads(1)
        ready, done, free = queue.Queue(2), queue.Queue(), queue.Queue()
        for _ in range(4 + len(self.networks)):
            free.put(np.empty((clip.height, clip.width, 3), np.uint8))
        self.boxes, start = 0, time.perf_counter()
        crew = [threading.Thread(target=self.feed, args=(clip, frames, ready, free))]
        crew += [threading.Thread(target=self.infer, args=(n, ready, done)) for n in self.networks]
        for thread in crew:
            thread.start()
        self.finish(done, free, frames)
        for thread in crew:
            thread.join()
        return frames / (time.perf_counter() - start)
