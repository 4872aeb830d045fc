"""The synthesised sounds of the eighteen instruments, and their class table."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

from skxmodal.datasets._instruments._classes import AUDIOSET_COUNTS, INSTRUMENTS, get_instrument
from skxmodal.datasets._instruments._notes import Part
from skxmodal.datasets._instruments._oscillators import decaying_modes, from_loop, string_loop
from skxmodal.datasets._instruments._sound import _MODELS, SAMPLE_RATE, render_sound

AUDIOSET = "storage.googleapis.com/us_audioset/youtube_corpus/v1/csv"
ONTOLOGY = "raw.githubusercontent.com/audioset/ontology"

NAMES = [instrument.name for instrument in INSTRUMENTS]
UNPITCHED = {"cymbals", "drums"}
PITCHED = [name for name in NAMES if name not in UNPITCHED]


def render(name, *, pitch=0.5, loudness=0.6, difficulty=0.0, seed=0):
    rng = np.random.default_rng(seed)
    return render_sound(name, pitch=pitch, loudness=loudness, difficulty=difficulty, rng=rng)


def spectrum(sound):
    """Power spectrum with a frequency axis in Hz (1 Hz bins)."""
    return np.abs(np.fft.rfft(sound * np.hanning(len(sound)))) ** 2


def centroid(sound):
    power = spectrum(sound)
    return float((np.arange(power.size) * power).sum() / power.sum())


def flatness(sound):
    power = spectrum(sound)[100:7000].reshape(-1, 25).mean(axis=1)
    return float(np.exp(np.log(power).mean()) / power.mean())


def harmonic(power, frequency):
    """Energy within 3 % of a frequency (violin vibrato is within 2 %)."""
    return float(power[int(frequency * 0.97) : int(np.ceil(frequency * 1.03)) + 1].sum())


@pytest.fixture
def segment_lists(mirror):
    names = ("balanced_train_segments.csv", "eval_segments.csv")
    files = [mirror / AUDIOSET / name for name in names]
    clips = []
    for file in files:
        with file.open(encoding="utf-8") as lines:
            rows = csv.reader((x for x in lines if x[0] != "#"), skipinitialspace=True)
            clips += [set(row[3].split(",")) for row in rows]
    return clips


def test_classes_are_the_papers_eighteen_in_alphabetical_order():
    assert len(NAMES) == 18
    assert sorted(NAMES) == NAMES == list(AUDIOSET_COUNTS)


def test_labels_are_those_of_the_audioset_label_list(mirror):
    file = mirror / AUDIOSET / "class_labels_indices.csv"
    with file.open(encoding="utf-8") as lines:
        names = {row["mid"]: row["display_name"] for row in csv.DictReader(lines)}
    labels = {item.audioset_id: item.audioset_name for item in INSTRUMENTS}
    assert labels == {label: names[label] for label in labels}
    assert len(labels) == 18


def test_labels_are_in_the_ontology(mirror):
    (file,) = (mirror / ONTOLOGY).glob("*/ontology.json")
    names = {row["id"]: row["name"] for row in json.loads(file.read_text(encoding="utf-8"))}
    assert all(names[item.audioset_id] == item.audioset_name for item in INSTRUMENTS)


def test_counts_are_those_of_the_audioset_segment_lists(segment_lists):
    labels = {item.name: {item.audioset_id} for item in INSTRUMENTS}
    labels["drums"] = {"/m/026t6", "/m/02hnl"}  # Drum, Drum kit
    counted = {
        name: sum(bool(own & clip) for clip in segment_lists) for name, own in labels.items()
    }
    assert counted == AUDIOSET_COUNTS


def test_pitch_runs_through_the_range_on_a_logarithmic_axis():
    guitar = get_instrument("guitar")
    low, middle, high = (guitar.frequency(pitch) for pitch in (0.0, 0.5, 1.0))
    assert low == pytest.approx(82.41, abs=0.01)  # the open E string
    assert middle**2 == pytest.approx(low * high)


@pytest.mark.parametrize("name", NAMES)
def test_a_sound_is_one_second_of_float32_between_minus_one_and_one(name):
    corners = [(p, x, d) for p in (0.0, 1.0) for x in (0.0, 1.0) for d in (0.0, 0.5, 1.0)]
    for seed, (pitch, loudness, difficulty) in enumerate(corners):
        sound = render(name, pitch=pitch, loudness=loudness, difficulty=difficulty, seed=seed)
        assert sound.shape == (SAMPLE_RATE,)
        assert sound.dtype == np.float32
        assert np.isfinite(sound).all()
        assert 0.005 < np.abs(sound).max() <= 1.0
        assert abs(float(sound.mean())) < 1e-3
        # No click: it begins and ends at rest.
        assert max(abs(sound[0]), abs(sound[-1])) < 1e-3


@pytest.mark.parametrize("name", NAMES)
def test_no_sound_is_all_but_silent_before_it_is_levelled(name):
    instrument = get_instrument(name)
    for seed in range(25):
        rng = np.random.default_rng([25, seed])
        frequency = instrument.frequency(float(rng.random()))
        dry = _MODELS[name](rng, Part(instrument, frequency, seed % 3 / 2.0, 1.0))
        # A peak that is very weak stands for a note that ended before the second began.
        assert np.abs(dry).max() > 1e-3


@pytest.mark.parametrize("name", NAMES)
def test_the_same_generator_state_gives_the_same_bytes(name):
    first = render(name, difficulty=0.7, seed=5)
    again = render(name, difficulty=0.7, seed=5)
    other = render(name, difficulty=0.7, seed=6)
    assert first.tobytes() == again.tobytes()
    assert first.tobytes() != other.tobytes()


def test_the_bytes_do_not_depend_on_the_number_of_threads():
    from threadpoolctl import threadpool_limits

    # Piano and cymbals are matrix products, which the BLAS may split.
    def sounds():
        names = ["piano", "cymbals", "drums"]
        return [render(name, pitch=0.1, difficulty=0.5, seed=s) for name in names for s in range(4)]

    with threadpool_limits(1):
        alone = sounds()
    with threadpool_limits(2):
        together = sounds()
    assert all(np.array_equal(a, b) for a, b in zip(alone, together, strict=True))


@pytest.mark.parametrize("name", PITCHED)
@pytest.mark.parametrize("pitch", [0.15, 0.5, 0.85])
def test_the_fundamental_is_where_the_pitch_says(name, pitch):
    sound = render(name, pitch=pitch, seed=3).astype(float)
    expected = get_instrument(name).frequency(pitch)
    # The strongest comb of harmonics among candidates a quarter-tone apart, over an octave.
    power = np.sqrt(spectrum(sound))
    power = np.maximum(power - np.median(power), 0.0)
    steps = np.arange(-12, 13) * 0.5
    scores = []
    for step in steps:
        orders = np.arange(1, 9) * expected * 2.0 ** (step / 12.0)
        orders = orders[orders < 7500]
        width = 0.012
        spans = [(int(f * (1 - width)), int(np.ceil(f * (1 + width))) + 1) for f in orders]
        scores.append(sum(power[a:b].sum() for a, b in spans) / np.sqrt(len(orders)))
    assert abs(steps[int(np.argmax(scores))]) <= 0.5


@pytest.mark.parametrize("name", NAMES)
def test_louder_is_louder(name):
    rms = [float(np.sqrt(np.mean(render(name, loudness=x) ** 2))) for x in (0.1, 0.9)]
    assert rms[1] > 2.0 * rms[0]


@pytest.mark.parametrize("name", ["trumpet", "trombone", "piano", "clarinet", "violin"])
def test_louder_is_brighter(name):
    soft, loud = (centroid(render(name, pitch=0.3, loudness=x)) for x in (0.1, 0.9))
    assert loud > 1.1 * soft


def test_even_harmonics_of_the_clarinet_are_weaker_than_the_odd_ones():
    power = spectrum(render("clarinet", pitch=0.1))
    f0 = get_instrument("clarinet").frequency(0.1)
    odd = min(harmonic(power, order * f0) for order in (1, 3, 5))
    even = max(harmonic(power, order * f0) for order in (2, 4))
    assert odd > 10.0 * even


def test_the_saxophone_has_even_harmonics():
    power = spectrum(render("saxophone", pitch=0.1))
    f0 = get_instrument("saxophone").frequency(0.1)
    assert harmonic(power, 4 * f0) > 0.2 * harmonic(power, 5 * f0)


def test_cymbals_are_noisier_than_a_flute():
    cymbals = np.median([flatness(render("cymbals", seed=seed)) for seed in range(5)])
    flute = np.median([flatness(render("flute", seed=seed)) for seed in range(5)])
    assert cymbals > 10.0 * flute


def test_a_banjo_dies_away_sooner_than_a_guitar():
    def left_over(name):
        sound = render(name, pitch=0.4)
        return float(np.square(sound[8000:]).sum() / np.square(sound).sum())

    assert left_over("banjo") < 0.1 * left_over("guitar")


def test_difficulty_adds_noise():
    def floor(difficulty):
        quiet = [
            np.percentile(spectrum(render("trumpet", difficulty=difficulty, seed=s)), 10)
            for s in range(8)
        ]
        return float(np.median(quiet))

    assert floor(0.0) < floor(0.5) < floor(1.0)


def test_a_string_loop_is_the_sample_by_sample_string():
    period, gain, damping = 50, 0.98, 0.5
    frequency = SAMPLE_RATE / (period + 0.5)  # the two-point average adds half a sample
    burst = np.zeros(period)
    burst[0] = 1.0
    solved = from_loop(
        string_loop(
            frequency,
            t60=-3.0 / (frequency * np.log10(gain)),
            damping=damping,
            pluck_position=0.2,
            softness=0.0,
            burst=burst,
        )
    )
    # With a whole period the all-pass is a plain delay of one sample.
    looped = np.zeros(2000)
    looped[0], looped[10] = 1.0, -1.0
    for n in range(period, 2000):
        back = looped[n - period] + (looped[n - period - 1] if n > period else 0.0)
        looped[n] += gain * 0.5 * back
    np.testing.assert_allclose(solved[:2000], looped, atol=1e-6)


def test_a_bank_of_modes_is_the_sum_of_decaying_sinusoids():
    frequency, rate = np.array([300.0, 1234.5]), np.array([3.0, 8.0])
    amplitude, phase = np.array([1.0, 0.5]), np.array([0.3, -1.0])
    times = np.arange(5000)[:, np.newaxis] / SAMPLE_RATE
    expected = amplitude * np.exp(-rate * times) * np.cos(2 * np.pi * frequency * times + phase)
    modes = decaying_modes(frequency, rate, amplitude, phase, 5000)
    np.testing.assert_allclose(modes, expected.sum(axis=1), atol=1e-5)


def test_modes_above_nyquist_are_left_out():
    one = np.array([1.0])
    assert not decaying_modes(np.array([9000.0]), one, one, one, 256).any()


@pytest.mark.parametrize("parameter", ["pitch", "loudness", "difficulty"])
def test_a_parameter_outside_its_range_is_refused_by_name(parameter):
    settings = {"pitch": 0.5, "loudness": 0.5, "difficulty": 0.5, parameter: 1.5}
    with pytest.raises(ValueError, match=f"{parameter}=1.5 must lie between 0 and 1"):
        render_sound("flute", rng=np.random.default_rng(0), **settings)


def test_an_unknown_instrument_is_refused_with_the_choices():
    with pytest.raises(ValueError, match="unknown instrument 'kazoo': choose one of accordion"):
        get_instrument("kazoo")
