"""How often the audit's interval holds the true part of wrong labels, and how wide it is.

    python benchmarks/audit_intervals.py

Six classes with the sizes of FER2013's Training faces and wrong labels in one of 4 to 30 %, drawn as the
audit draws: as many of each class, without putting back. No faces and no workspace are needed.
"""

import argparse

import numpy as np

from fer_data.quality_report.audit_results import stratified_rate

SIZES = (3995, 4097, 7215, 4965, 4830, 3171)
RATES = (0.15, 0.30, 0.04, 0.12, 0.20, 0.08)
SAMPLES = (50, 100, 200, 400)


def coverage(number: int, *, trials: int, seed: int) -> tuple[float, float, float]:
    """How often the interval of samples holds the truth, its mean width, and the mean error."""
    generator = np.random.default_rng(seed)
    wrong = [round(size * rate) for size, rate in zip(SIZES, RATES, strict=True)]
    truth = sum(wrong) / sum(SIZES)
    held, widths, values = 0, [], []
    turns = [number // len(SIZES) + (place < number % len(SIZES)) for place in range(len(SIZES))]
    for _ in range(trials):
        strata = [
            (int(generator.hypergeometric(bad, size - bad, drawn)), drawn, size)
            for bad, size, drawn in zip(wrong, SIZES, turns, strict=True)
        ]
        rate = stratified_rate(strata)
        low, high = rate.low or 0.0, rate.high or 0.0
        held += low <= truth <= high
        widths.append(high - low)
        values.append((rate.value or 0.0) - truth)
    return held / trials, float(np.mean(widths)), float(np.mean(values))


def main() -> None:
    """Prints a line a size of the sample."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    flags = parser.parse_args()
    for number in SAMPLES:
        held, width, bias = coverage(number, trials=flags.trials, seed=flags.seed)
        print(
            f"{number} faces: the interval holds the truth in {held:.1%} of {flags.trials} samples; "
            f"it is {100 * width:.1f} points wide; bias {100 * bias:+.2f} points"
        )


if __name__ == "__main__":
    main()
