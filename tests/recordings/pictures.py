"""Small pictures for folders of images and for videos."""

import numpy as np

SIZE = (48, 32)


def gray(value):
    image = np.full((SIZE[1], SIZE[0]), value, np.uint8)
    image[4:8, 10:20] = 255 - value
    return image
