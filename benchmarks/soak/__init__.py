"""Half an hour of constant load while tokens expire: whether tables grow, and whether anything slows down."""
