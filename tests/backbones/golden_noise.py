"""The numbers that made_up_noise() (tests/support/made_up.c) gives, for the makers of golden values."""
import numpy


def noise(key, count):
    """[-0.5, 0.5), from key and index alone: MurmurHash3's last step."""
    x = numpy.arange(count, dtype=numpy.uint32) + numpy.uint32(key * 0x9E3779B9 & 0xffffffff)
    x ^= x >> numpy.uint32(16)
    x *= numpy.uint32(0x85EBCA6B)
    x ^= x >> numpy.uint32(13)
    x *= numpy.uint32(0xC2B2AE35)
    x ^= x >> numpy.uint32(16)
    return (x >> numpy.uint32(8)).astype(numpy.float64) / (1 << 24) - 0.5
