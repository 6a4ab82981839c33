#!/usr/bin/env python3
"""The retraining tutorial in Keras' own code, to put beside `headstart train --recipe tutorial`.

    bench/keras_tutorial.py PHOTOS WEIGHTS.h5 [--seed N] [--augment]

WEIGHTS.h5: MobileNetV2 1.0, 224 px, without its top, as keras.applications publishes it. Wants
tensorflow and tf_keras. Steps and settings are the notebook's; the hub module is replaced by the
same network from tf_keras.applications, which takes -1..1 instead of 0..1. --augment is its
do_data_augmentation, for `--augment tutorial`. Ends with one JSON line: accuracy over the whole
validation part, seconds, processor seconds, peak memory.
"""
import argparse
import json
import os
import resource
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
BEGUN = time.monotonic()

import tensorflow as tf  # noqa: E402, F401
import tf_keras as keras  # noqa: E402

SIZE, BATCH, EPOCHS = (224, 224), 16, 5


def photos(folder, subset, seed):
    return keras.utils.image_dataset_from_directory(
        folder, validation_split=0.2, subset=subset, label_mode="categorical", seed=seed,
        image_size=SIZE, batch_size=1)


def changed():
    """The notebook's layers of do_data_augmentation."""
    layers = keras.layers
    return keras.Sequential([
        layers.RandomRotation(40), layers.RandomTranslation(0, 0.2),
        layers.RandomTranslation(0.2, 0), layers.RandomZoom(0.2, 0.2),
        layers.RandomFlip(mode="horizontal")])


def build(weights, n_classes):
    base = keras.applications.MobileNetV2(input_shape=SIZE + (3,), include_top=False,
                                          pooling="avg", weights=weights)
    base.trainable = False
    model = keras.Sequential([
        keras.layers.InputLayer(input_shape=SIZE + (3,)),
        base,
        keras.layers.Dropout(rate=0.2),
        keras.layers.Dense(n_classes, kernel_regularizer=keras.regularizers.l2(0.0001)),
    ])
    model.compile(
        optimizer=keras.optimizers.SGD(learning_rate=0.005, momentum=0.9),
        loss=keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1),
        metrics=["accuracy"])
    return model


def main():
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("photos")
    args.add_argument("weights")
    args.add_argument("--seed", type=int, default=123)
    args.add_argument("--augment", action="store_true")
    args = args.parse_args()
    keras.utils.set_random_seed(args.seed)

    train, val = (photos(args.photos, s, args.seed) for s in ("training", "validation"))
    names, n_train, n_val = train.class_names, len(train), len(val)
    rescale = keras.layers.Rescaling(1 / 127.5, offset=-1)
    change = changed() if args.augment else lambda x: x
    train = train.unbatch().batch(BATCH).repeat().map(lambda x, y: (change(rescale(x)), y))
    val = val.unbatch().batch(BATCH).map(lambda x, y: (rescale(x), y))

    model = build(args.weights, len(names))
    model.fit(train, epochs=EPOCHS, steps_per_epoch=n_train // BATCH, validation_data=val,
              validation_steps=n_val // BATCH, verbose=2)
    used = resource.getrusage(resource.RUSAGE_SELF)
    wall = time.monotonic() - BEGUN  # the job as the notebook has it ends here
    _, accuracy = model.evaluate(val, verbose=0)
    print(json.dumps({"seed": args.seed, "val_accuracy": round(accuracy, 4), "val_n": n_val,
                      "wall_s": round(wall, 1), "cpu_s": round(used.ru_utime + used.ru_stime, 1),
                      "peak_mb": round(used.ru_maxrss / 1024)}))


if __name__ == "__main__":
    main()
