"""What the drawn eye shows, measured on the image and not on the controls."""

from dataclasses import replace

import numpy as np
import pytest

from snnkd.datasets.eyesim import Light, Person, State, render, render_many

PERSON = Person()  # the average eye, with no habit of its own
SIZE = (96, 96)


def sclera(image: np.ndarray) -> int:
    """Pixels clearly brighter than skin within the eye's part of the image: the white of the eye."""
    region = image[50:80, 15:80]
    return int((region > 1.12 * np.median(image)).sum())


def brow_row(image: np.ndarray, columns: tuple[int, int]) -> float:
    """Mean row of what is much darker than the skin above the eye: the brow."""
    region = image[:48, slice(*columns)]
    weight = np.clip(0.6 * np.median(image) - region, 0, None)
    assert weight.sum() > 0
    return float((weight.sum(1) * np.arange(48)).sum() / weight.sum())


NASAL, LATERAL = (58, 74), (18, 34)


def test_it_is_an_image_in_digital_numbers():
    image = render(PERSON, State(), (120, 80))
    assert image.shape == (80, 120)
    assert image.dtype == np.float32
    assert image.min() >= 0
    assert 150 < image.max() <= 255
    assert 60 < image.mean() < 160


def test_pupil_iris_sclera_and_skin_are_told_apart():
    image = render(PERSON, State(), SIZE)
    # The eye's middle lies 0.3 half-widths below the image's; the pupil is there, the iris around it.
    middle = image[58:66, 44:53]
    assert middle.min() < 0.25 * np.median(image)
    assert image[60, 40] < 0.8 * np.median(image)
    assert image[62, 28:34].max() > 1.1 * np.median(image)


def test_surprise_opens_the_eye_and_anger_and_a_smile_narrow_it():
    rest = sclera(render(PERSON, State(), SIZE))
    assert sclera(render(PERSON, State(au1=0.8, au2=0.8, au5=0.8), SIZE)) > 1.25 * rest
    assert sclera(render(PERSON, State(au4=0.8, au7=0.8), SIZE)) < 0.8 * rest
    assert sclera(render(PERSON, State(au6=0.9), SIZE)) < 0.9 * rest


def test_a_blink_closes_the_eye_gradually():
    seen = [sclera(render(PERSON, State(au45=c), SIZE)) for c in (0.0, 0.25, 0.5, 0.75, 1.0)]
    assert seen == sorted(seen, reverse=True)
    assert seen[0] > 100
    assert seen[-1] <= 10
    pupil = render(PERSON, State(au45=1.0), SIZE)[58:64, 44:53]
    assert pupil.min() > 0.5 * np.median(pupil)


@pytest.mark.parametrize("person", [PERSON, Person.draw(0, 3), Person.draw(4, 1)])
def test_the_brow_goes_where_the_units_say(person):
    person = replace(person, rest=(0.0,) * 9, eye_x=0.0, eye_y=0.3, eye_roll=0.0, brow_darkness=0.8)
    rest = {c: brow_row(render(person, State(), SIZE), c) for c in (NASAL, LATERAL)}

    def moved(columns: tuple[int, int], **units: float) -> float:
        return brow_row(render(person, State(**units), SIZE), columns) - rest[columns]

    assert moved(NASAL, au1=0.8) < -2
    assert moved(LATERAL, au2=0.8) < -2
    assert moved(NASAL, au4=0.8) > 2
    assert moved(NASAL, au1=0.8) < moved(LATERAL, au1=0.8) - 1  # oblique: the sign of sadness
    assert moved(LATERAL, au2=0.8) < moved(NASAL, au2=0.8) - 1


def test_the_gaze_moves_the_pupil():
    def darkest(**state: float) -> np.ndarray:
        region = render(PERSON, State(**state), SIZE)[50:76, 20:78]
        rows, columns = np.nonzero(region < 0.3 * np.median(region))
        return np.array([columns.mean(), rows.mean()])

    pixels = 0.2 * PERSON.eye_scale * 48  # 0.2 eye units
    right, down = darkest(gaze_x=0.2) - darkest(), darkest(gaze_y=0.1) - darkest(gaze_y=-0.1)
    assert right[0] == pytest.approx(pixels, abs=1.5)
    assert down[1] > 2
    assert abs(down[0]) < 0.5 * down[1]


def test_slip_shifts_the_whole_image():
    still = render(PERSON, State(), SIZE)
    shifted = render(PERSON, State(slip_x=4 / 48), SIZE)
    difference = np.abs(shifted[:, 4:] - still[:, :-4])[20:80, 20:70]
    assert difference.mean() < 0.6
    assert np.abs(shifted - still)[20:80, 20:70].mean() > 5 * difference.mean()


@pytest.mark.parametrize("unit", State._fields)
def test_every_control_shows_and_shows_smoothly(unit):
    """Halving a small step about halves the change: no jump that a sensor would take for a flash."""
    scale = 0.02 if unit.startswith(("slip", "roll", "gaze")) else 0.1
    base = render(PERSON, State(**{unit: 0.3 if scale == 0.1 else 0.0}), SIZE)

    def change(step: float) -> np.ndarray:
        return render(PERSON, State(**{unit: (0.3 if scale == 0.1 else 0.0) + step}), SIZE) - base

    whole, half = change(scale), change(scale / 2)
    assert np.abs(whole).max() > 1.0
    assert 0.3 < np.abs(half).sum() / np.abs(whole).sum() < 0.7
    tiny = change(scale / 100)
    assert np.abs(tiny).max() < 0.1 * np.abs(whole).max() + 0.05


@pytest.mark.parametrize(("control", "low", "high"), [("au45", 0.1, 0.5), ("au4", 0, 1), ("slip_x", 0, 0.1)])
@pytest.mark.parametrize("index", [0, 1, 2])
def test_edges_cross_a_pixel_gradually(control, low, high, index):
    """Lids, lashes and brow sweep over pixels in 400 steps of about a hundredth of one: none flips at once."""
    states = [State(**{control: value}) for value in np.linspace(low, high, 401)]
    images = render_many(Person.draw(0, index), states, (64, 64))
    steps = np.abs(np.diff(images, axis=0))
    assert np.ptp(images, axis=0).max() > 40
    assert steps.max() < 8  # digital numbers; a hard edge makes steps of 30 to 90


@pytest.mark.parametrize("unit", ["au1", "au2", "au4", "au5", "au6", "au7", "au9"])
def test_units_stay_in_their_part_of_the_face(unit):
    """The iris is untouched by brow units, the forehead by lid and cheek units."""
    difference = np.abs(render(PERSON, State(**{unit: 0.5}), SIZE) - render(PERSON, State(), SIZE))
    forehead, cheek = difference[:12].max(), difference[84:, 20:60].max()
    if unit in ("au5", "au6", "au7"):
        assert forehead < 0.5
    if unit in ("au1", "au2", "au5"):
        assert cheek < 0.5


def test_a_drooping_and_a_blinking_lid_close_the_same_eye():
    np.testing.assert_array_equal(render(PERSON, State(au43=0.6), SIZE), render(PERSON, State(au45=0.6), SIZE))
    np.testing.assert_array_equal(
        render(PERSON, State(au43=0.6, au45=0.3), SIZE), render(PERSON, State(au43=0.6), SIZE)
    )


def test_a_shade_takes_the_light_beyond_its_edge():
    lit = render(PERSON, State(), SIZE, light=Light())
    shaded = render(PERSON, State(), SIZE, light=Light(shade_depth=0.8, shade_angle=0.0, shade_at=0.0, shade_width=0.1))
    left, right = slice(0, 40), slice(56, 96)  # eye units grow to the nose, which is on the right
    np.testing.assert_array_equal(shaded[:, left], lit[:, left])
    np.testing.assert_allclose(shaded[:, right], 0.2 * lit[:, right], rtol=1e-3)


def test_stray_light_adds_and_takes_contrast():
    clear, veiled = (render(PERSON, State(), SIZE, light=Light(level=0.5, veil=v)) for v in (0.0, 20.0))
    np.testing.assert_allclose(veiled, clear + 20.0, atol=1e-3)


def test_light_scales_the_image():
    dim, bright = (render(PERSON, State(), SIZE, light=Light(level=v, x=0, y=0)) for v in (0.4, 0.8))
    np.testing.assert_allclose(bright, 2 * dim, rtol=1e-4)


def test_drawing_many_is_drawing_each():
    person = Person.draw(1, 2)
    states = [State(), State(au4=0.5), State(au45=0.3, gaze_x=0.1)]
    together = render_many(person, np.array(states), (40, 32))
    assert together.shape == (3, 32, 40)
    for image, state in zip(together, states, strict=True):
        np.testing.assert_array_equal(image, render(person, state, (40, 32)))


def test_persons_differ_and_are_reproducible():
    assert Person.draw(0, 5) == Person.draw(0, 5)
    assert Person.draw(0, 5) != Person.draw(1, 5)
    images = [render(Person.draw(0, i), State(), (64, 64)) for i in range(8)]
    for i in range(8):
        for j in range(i):
            assert np.abs(images[i] - images[j]).mean() > 5
    assert all(max(Person.draw(0, i).rest) > 0.15 for i in range(8))


def test_a_rest_face_can_mimic_an_expression():
    """The still picture of one person's rest face can be another's expression; the change still shows."""
    frowner = replace(PERSON, rest=(0, 0, 0.5, 0, 0, 0, 0, 0, 0))
    low = brow_row(render(frowner, State(), SIZE), NASAL)
    mild = brow_row(render(PERSON, State(au4=0.5), SIZE), NASAL)
    assert low == pytest.approx(mild, abs=0.3)
    assert brow_row(render(frowner, State(au4=0.5), SIZE), NASAL) > low + 1


def test_too_small_an_image_is_refused():
    with pytest.raises(ValueError, match="8 x 8"):
        render(PERSON, State(), (7, 64))
