"""Games: one file per algorithm, each with a `build(context) -> Recipe`."""
