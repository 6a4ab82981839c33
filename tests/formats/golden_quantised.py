#!/usr/bin/env python3
"""Makes tests/golden/formats/embedding.npy: what TensorFlow Lite's own interpreter says of photos.

    tests/formats/golden_quantised.py SHARED OUT

uint8 [8][1024], the output of fixtures/quantised_tflite/mobilenet_v1_1.0_224_quant_embedding_extractor
for the photos of fixtures/mobilenet_v2_1.0_224/golden/photos.json, resized by Pillow. Needs
ai-edge-litert, Pillow and NumPy; made with 2.3, 13.0 and 2.4."""
import json
import os
import sys

import numpy
from ai_edge_litert.interpreter import Interpreter
from PIL import Image

shared, out = sys.argv[1:3]
fixtures = os.path.join(shared, "fixtures")
net = Interpreter(model_path=os.path.join(
    fixtures, "quantised_tflite", "mobilenet_v1_1.0_224_quant_embedding_extractor.tflite"))
net.allocate_tensors()
rows = []
with open(os.path.join(fixtures, "mobilenet_v2_1.0_224", "golden", "photos.json"), encoding="utf-8") as f:
    for path in json.load(f):
        photo = Image.open(os.path.join(shared, path)).convert("RGB").resize((224, 224), Image.BILINEAR)
        net.set_tensor(net.get_input_details()[0]["index"], numpy.asarray(photo)[None])
        net.invoke()
        rows.append(net.get_tensor(net.get_output_details()[0]["index"]).reshape(-1).copy())
numpy.save(out, numpy.stack(rows))
