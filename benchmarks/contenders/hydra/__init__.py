"""Ory Hydra, of the Go module proxy."""

from benchmarks.contenders.hydra.contender import Hydra

CONTENDER = Hydra()
