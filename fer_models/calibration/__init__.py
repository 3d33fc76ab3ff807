"""Calibration: temperature scaling, reliability, conformal prediction sets."""
