"""Predicts on images and videos with trained models, from a workspace or a bundle."""
