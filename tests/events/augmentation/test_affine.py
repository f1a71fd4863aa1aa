"""The affine map against points computed by hand and against its inverse."""

import cv2
import numpy as np
import pytest

from snnkd.events import make_events
from snnkd.events.augmentation import RandomAffine, affine_matrix, move_events, move_images

SENSOR = (48, 36)


def moved_points(points, matrix):
    x, y = zip(*points, strict=True)
    events = make_events(x, y, np.arange(len(points)), np.ones(len(points)))
    return [(int(e["x"]), int(e["y"]), int(e["t"])) for e in move_events(events, SENSOR, matrix)]


def test_a_half_turn_mirrors_both_axes():
    points = [(0, 0), (47, 35), (10, 20)]
    assert moved_points(points, affine_matrix(SENSOR, degrees=180)) == [(47, 35, 0), (0, 0, 1), (37, 15, 2)]


def test_a_quarter_turn_is_clockwise_about_the_middle():
    square = (11, 11)
    events = make_events([5, 10], [0, 5], [0, 0], [1, 1])  # above and right of the middle
    moved = move_events(events, square, affine_matrix(square, degrees=90))
    assert list(zip(moved["x"].tolist(), moved["y"].tolist(), strict=True)) == [(10, 5), (5, 10)]


def test_a_shift_is_in_parts_of_the_sensor_and_drops_what_leaves():
    matrix = affine_matrix(SENSOR, shift=(0.25, -0.5))
    assert moved_points([(0, 18), (35, 20), (36, 20), (3, 17)], matrix) == [(12, 0, 0), (47, 2, 1)]


def test_scale_leaves_the_middle_and_halves_round_upwards():
    assert moved_points([(23, 17), (24, 18), (25, 18)], affine_matrix(SENSOR, scale=2)) == [
        (23, 17, 0),
        (25, 19, 1),
        (27, 19, 2),
    ]
    assert moved_points([(0, 0)], affine_matrix(SENSOR, shift=(0.5 / 48, 1.5 / 36))) == [(1, 2, 0)]


def test_no_change_is_no_change():
    points = [(x, y) for x in range(48) for y in range(36)]
    matrix = affine_matrix(SENSOR)
    assert [(x, y) for x, y, _ in moved_points(points, matrix)] == points
    images = np.random.default_rng(0).integers(0, 256, (3, 36, 48), np.uint8)
    np.testing.assert_array_equal(move_images(images, matrix), images)


def test_images_follow_the_map_forward_and_repeat_their_border():
    images = np.zeros((2, 36, 48), np.uint8)
    images[0, 10, 5] = 255
    images[1, :, 0] = 77
    moved = move_images(images, affine_matrix(SENSOR, shift=(0.25, 0.25)))
    assert np.argwhere(moved[0]).tolist() == [[19, 17]]
    assert (moved[1][:, :13] == 77).all()
    assert (moved[1][:, 13:] == 0).all()


def test_images_are_sampled_at_the_inverse_of_the_map():
    rng = np.random.default_rng(4)
    image = cv2.GaussianBlur(rng.integers(0, 256, (36, 48)).astype(np.uint8), (0, 0), 3)
    matrix = affine_matrix(SENSOR, degrees=13, scale=1.15, shift=(0.05, -0.08))
    (moved,) = move_images(image[None], matrix)
    inverse = np.linalg.inv(matrix[:, :2])
    for y in range(36):
        for x in range(48):
            u, v = inverse @ (np.array([x, y]) - matrix[:, 2])
            if 0 <= u <= 47 and 0 <= v <= 35:
                i, j = min(int(v), 34), min(int(u), 46)
                a, b = v - i, u - j
                corners = image[i : i + 2, j : j + 2].astype(float)
                expected = np.array([1 - a, a]) @ corners @ np.array([1 - b, b])
                assert abs(moved[y, x] - expected) < 2  # OpenCV's positions are in 1/32 of a pixel


def test_draws_stay_within_their_ranges_and_reach_for_the_ends():
    augment = RandomAffine(SENSOR, 0, degrees=10, shift=0.1, scale=(0.9, 1.3))
    matrices = np.stack([augment.draw_matrix(augment.generator) for _ in range(500)])
    scales = np.sqrt(np.linalg.det(matrices[:, :, :2]))
    angles = np.degrees(np.arctan2(matrices[:, 1, 0], matrices[:, 0, 0]))
    middle = np.array([23.5, 17.5])
    shifts = (matrices[:, :, :2] @ middle + matrices[:, :, 2] - middle) / SENSOR
    for drawn, low, high in ((scales, 0.9, 1.3), (angles, -10, 10), (shifts, -0.1, 0.1)):
        assert drawn.min() >= low - 1e-9
        assert drawn.max() <= high + 1e-9
        assert np.ptp(drawn) > 0.95 * (high - low)
    assert abs(np.corrcoef(shifts.T)[0, 1]) < 0.2  # each side has a draw of its own


def test_polarity_and_time_move_along():
    events = make_events([10, 47, 12], [10, 0, 12], [3, 5, 9], [1, 1, 0])
    moved = move_events(events, SENSOR, affine_matrix(SENSOR, shift=(0.1, 0)))
    assert moved["t"].tolist() == [3, 9]
    assert moved["p"].tolist() == [True, False]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"degrees": 181}, "degrees"),
        ({"degrees": -1}, "degrees"),
        ({"degrees": float("nan")}, "degrees"),
        ({"shift": 1.5}, "shift"),
        ({"scale": (0, 1)}, "scale"),
        ({"scale": (1.2, 0.8)}, "scale"),
        ({"scale": 1.1}, r"scale must be \(low, high\).*got 1.1; \(1.1, 1.1\) fixes it"),
        ({"degrees": (-15, 15)}, "degrees must be a number from 0 to 180"),
        ({"shift": -0.1}, "shift"),
    ],
)
def test_settings_out_of_range_are_told(options, message):
    with pytest.raises(ValueError, match=message):
        RandomAffine(SENSOR, 0, **options)
