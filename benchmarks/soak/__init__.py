"""Half an hour of constant load while tokens expire: do tables grow, and do requests slow down?"""
