"""Image augmentation: transforms of tensors, and Keras layers that apply them."""
