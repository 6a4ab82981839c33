#!/usr/bin/env python3
"""The tutorial's augmentation on a frozen backbone, in Keras' own code.

    tests/training/golden_augmented.py PHOTOS WEIGHTS.h5 [--classes N] [--photos N] [--batch N]
                                       [--val X] [--seed N] [-o FOLDER]

WEIGHTS.h5: MobileNetV2 1.0, 224 px, without its top, as keras.applications publishes it. Wants
tensorflow and tf_keras. Of the first N classes the first N photos each (all of them if not given).

What is random comes from headstart's generator, written out here: order, first kernel, dropout, and
what each photo's augmentation draws. Pixels, transforms, network, head, loss and optimiser are
TensorFlow's and tf_keras'. Prints what `fit` would print of each epoch, and the same from features
of unchanged photos, by which the difference is to be judged. -o writes epochs.npy, float64 [epoch]
(loss, accuracy, val_loss, val_accuracy), and features.npy, float32 [photo][every 20th feature], of
the photos of the first step. tests/golden/augmented_head was made with

    --classes 3 --photos 12 --batch 8 --val 0.24 --seed 7
"""
import argparse
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
import tf_keras as keras  # noqa: E402
from tf_keras.src.layers.preprocessing import image_preprocessing as layers  # noqa: E402

PX, EPOCHS, DROPOUT = 224, 5, 0.2
SHUFFLE, INIT, AUGMENT, DROP = 1, 2, 5, 3  # what a stream of numbers is for


# ---- headstart's random numbers ----------------------------------------------------------------


def philox(counter, key):
    """Philox4x32-10 of counters [n][4]."""
    low = np.uint64(0xFFFFFFFF)
    c = [counter[:, i].astype(np.uint64) for i in range(4)]
    k = [key & 0xFFFFFFFF, key >> 32]
    for _ in range(10):
        a, b = c[0] * np.uint64(0xD2511F53), c[2] * np.uint64(0xCD9E8D57)
        c = [(b >> np.uint64(32)) ^ c[1] ^ np.uint64(k[0]), b & low,
             (a >> np.uint64(32)) ^ c[3] ^ np.uint64(k[1]), a & low]
        k = [(k[0] + 0x9E3779B9) & 0xFFFFFFFF, (k[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return np.stack(c, axis=1)


class Stream:
    """Numbers for one purpose."""

    def __init__(self, seed, purpose, a, b, n):
        counter = np.zeros(((n + 3) // 4, 4), np.uint64)
        counter[:, 0] = np.arange(len(counter))
        counter[:, 1:] = purpose, a, b
        self.u32 = philox(counter, seed).reshape(-1)
        self.at = 0

    def next(self):
        self.at += 1
        return int(self.u32[self.at - 1])

    def uniform(self):
        return ((self.next() >> 5 << 26) | (self.next() >> 6)) * 2.0 ** -53

    def below(self, n):
        while True:
            m = self.next() * n
            if m & 0xFFFFFFFF >= (2 ** 32 - n) % n:
                return m >> 32


def shuffled(n, seed, number):
    s, order = Stream(seed, SHUFFLE, number, 0, 8 * n), list(range(n))
    for i in range(n, 1, -1):
        j = s.below(i)
        order[i - 1], order[j] = order[j], order[i - 1]
    return order


def first_kernel(dim, classes, seed):
    s = Stream(seed, INIT, 0, 0, 2 * dim * classes)
    limit = np.sqrt(6.0 / (dim + classes))
    return np.float32([(2 * s.uniform() - 1) * limit for _ in range(dim * classes)]
                      ).reshape(dim, classes)


def kept(n, dim, seed, step):
    below = int(DROPOUT * 2 ** 32)
    return np.stack([Stream(seed, DROP, step, i, dim).u32[:dim] >= below for i in range(n)])


# ---- the photos --------------------------------------------------------------------------------


def listing(folder, n_classes, n_photos):
    classes = sorted(os.listdir(folder))[:n_classes]
    return [(os.path.join(folder, c, name), label) for label, c in enumerate(classes)
            for name in sorted(os.listdir(os.path.join(folder, c)))[:n_photos]]


def read(path):
    """image_dataset_from_directory's pixels, and Rescaling(1/255)."""
    image = tf.io.decode_image(tf.io.read_file(path), channels=3, expand_animations=False)
    return tf.image.resize(image, (PX, PX), method="bilinear")[None] * np.float32(1 / 255)


def changed(x, seed, number, photo):
    """The five layers, with one photo's numbers in the place of theirs."""
    s = Stream(seed, AUGMENT, photo, number, 12)

    def around_0(most):
        return (2 * s.uniform() - 1) * most

    def moved(x, matrix):
        return layers.transform(x, matrix, fill_mode="reflect", fill_value=0.0,
                                interpolation="bilinear")

    angle = np.float32(around_0(40 * 2 * np.pi))
    across, down = np.float32(around_0(0.2) * PX), np.float32(around_0(0.2) * PX)
    zoom = np.float32([[1 + around_0(0.2), 1 + around_0(0.2)]])
    x = moved(x, layers.get_rotation_matrix(np.float32([angle]), float(PX), float(PX)))
    x = moved(x, layers.get_translation_matrix(np.float32([[across, 0]])))
    x = moved(x, layers.get_translation_matrix(np.float32([[0, down]])))
    x = moved(x, layers.get_zoom_matrix(zoom, float(PX), float(PX)))
    return tf.image.flip_left_right(x) if s.uniform() > 0.5 else x


# ---- training ----------------------------------------------------------------------------------


class Tutorial:
    def __init__(self, args):
        self.seed, self.batch = args.seed, args.batch
        self.photos = listing(args.photos_folder, args.classes, args.photos)
        order = list(range(len(self.photos)))
        np.random.RandomState(args.seed).shuffle(order)
        n_val = int(args.val * len(order))
        self.train, self.val = sorted(order[:-n_val]), sorted(order[-n_val:])
        self.classes = self.photos[-1][1] + 1
        self.network = keras.applications.MobileNetV2(
            input_shape=(PX, PX, 3), include_top=False, pooling="avg", weights=args.weights)
        self.pixels = {}

    def features(self, i, number=None):
        """Of photo i, as it is or as pass `number` changes it."""
        if i not in self.pixels:
            self.pixels[i] = read(self.photos[i][0])
        x = self.pixels[i]
        x = x if number is None else changed(x, self.seed, number, i)
        return self.network(x * 2 - 1, training=False).numpy()[0]

    def targets(self, which):
        return np.eye(self.classes, dtype=np.float32)[[self.photos[i][1] for i in which]]

    def steps(self):
        """(number of the pass, photos) of the endless stream."""
        number, n = 0, len(self.train)
        while True:
            order = [self.train[k] for k in shuffled(n, self.seed, number)]
            for begin in range(0, n, self.batch):
                yield number, order[begin:begin + self.batch]
            number += 1

    def head(self):
        dense = keras.layers.Dense(self.classes, kernel_regularizer=keras.regularizers.l2(0.0001))
        model = keras.Sequential([keras.layers.InputLayer(input_shape=(1280,)), dense])
        model.compile(
            optimizer=keras.optimizers.SGD(learning_rate=0.005, momentum=0.9),
            loss=keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1),
            metrics=["accuracy"])
        dense.set_weights([first_kernel(1280, self.classes, self.seed),
                           np.zeros(self.classes, np.float32)])
        return model

    def fit(self, augment):
        """-> [epoch] (loss, accuracy, val_loss, val_accuracy), features of the first step."""
        model, stream, rows, first, step = self.head(), self.steps(), [], None, 0
        val = np.stack([self.features(i) for i in self.val])
        for _ in range(EPOCHS):
            sums = np.zeros(2)
            seen = 0
            for _ in range(len(self.train) // self.batch):
                number, photos = next(stream)
                x = np.stack([self.features(i, number if augment else None) for i in photos])
                first = x if first is None else first
                keep = kept(len(photos), 1280, self.seed, step)
                dropped = np.where(keep, x * np.float32(1 / (1 - DROPOUT)), np.float32(0))
                sums += np.array(model.train_on_batch(dropped, self.targets(photos),
                                                      reset_metrics=True)) * len(photos)
                seen += len(photos)
                step += 1
            rows.append([*(sums / seen), *model.evaluate(val, self.targets(self.val), verbose=0,
                                                         batch_size=len(val))])
        return np.array(rows), first


def main():
    args = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    args.add_argument("photos_folder", metavar="PHOTOS")
    args.add_argument("weights", metavar="WEIGHTS.h5")
    args.add_argument("--classes", type=int)
    args.add_argument("--photos", type=int)
    args.add_argument("--batch", type=int, default=16)
    args.add_argument("--val", type=float, default=0.2)
    args.add_argument("--seed", type=int, default=123)
    args.add_argument("-o", metavar="FOLDER")
    args = args.parse_args()
    job = Tutorial(args)
    for augment in (True, False):
        rows, first = job.fit(augment)
        print("augmented" if augment else "unchanged")
        for i, row in enumerate(rows):
            print(i + 1, *(f"{x:.9f}" for x in row))
        if args.o and augment:
            os.makedirs(args.o, exist_ok=True)
            np.save(os.path.join(args.o, "epochs.npy"), rows)
            np.save(os.path.join(args.o, "features.npy"), np.ascontiguousarray(first[:, ::20]))


if __name__ == "__main__":
    main()
