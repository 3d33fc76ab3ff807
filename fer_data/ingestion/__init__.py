"""Reads an archive of images into the face store."""
