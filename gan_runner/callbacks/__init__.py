"""What reacts to a run: files, TensorBoard, the progress bar, pictures, warnings.

Importing this package imports none of them: TensorBoard and matplotlib take seconds.
"""
