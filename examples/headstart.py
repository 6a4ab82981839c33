#!/usr/bin/env python3
"""Names what is on photos, through libheadstart: headstart.py MODEL PHOTO...

HEADSTART_LIBRARY: path of libheadstart.so, when it is not where the system looks."""
import ctypes
import os
import sys
from ctypes import POINTER, Structure, c_char, c_char_p, c_float, c_int, c_size_t, c_void_p


class Err(Structure):
    _fields_ = [("code", c_int), ("msg", c_char * 1024)]


def declare(lib, name, result, *arguments):
    """Without its types ctypes would cut pointers down to int."""
    function = getattr(lib, name)
    function.restype, function.argtypes = result, arguments
    return function


lib = ctypes.CDLL(os.environ.get("HEADSTART_LIBRARY", "libheadstart.so.0"))
context_open = declare(lib, "hst_open", c_void_p, c_void_p, POINTER(Err))
context_close = declare(lib, "hst_close", None, c_void_p)
model_load = declare(lib, "hst_model_load", c_void_p, c_void_p, c_char_p, POINTER(Err))
model_free = declare(lib, "hst_model_free", None, c_void_p)
model_classes = declare(lib, "hst_model_classes", c_int, c_void_p)
model_label = declare(lib, "hst_model_label", c_char_p, c_void_p, c_int)
session_open = declare(lib, "hst_session_open", c_void_p, c_void_p, c_void_p, POINTER(Err))
session_free = declare(lib, "hst_session_free", None, c_void_p)
predict_file = declare(lib, "hst_predict_file", c_int, c_void_p, c_char_p, POINTER(c_float),
                       c_size_t, POINTER(Err))


def main(model_path, *photos):
    err, failures = Err(), 0
    context = context_open(None, err)  # None: default settings
    model = context and model_load(context, os.fsencode(model_path), err)
    session = model and session_open(context, model, err)
    if not session:
        sys.exit(err.msg.decode())
    n = model_classes(model)
    prob = (c_float * n)()
    for photo in photos:
        if predict_file(session, os.fsencode(photo), prob, n, err):
            failures += 1
            print(err.msg.decode(), file=sys.stderr)
            continue
        best = sorted(range(n), key=lambda i: -prob[i])[:3]
        named = [f"{model_label(model, i).decode()} {prob[i]:.4f}" for i in best]
        print(f"{photo}:", ", ".join(named))
    session_free(session)
    model_free(model)
    context_close(context)
    return failures != 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]) if len(sys.argv) > 2 else __doc__)
