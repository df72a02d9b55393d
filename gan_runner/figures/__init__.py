"""The figures of five papers, made anew from runs: `gan-figures`, `make figures`.

`figure` says what a figure is; a module a paper holds its figures; `catalogue` lists them all.
"""
