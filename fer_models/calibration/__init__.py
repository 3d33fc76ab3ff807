"""Calibration: temperature scaling, reliability, conformal sets."""
