"""A generated secret on its one way out."""

from api.cli.output import say, tell


def show_secret(client_id: str, secret_id: str, secret: str) -> None:
    """Print a secret: itself on standard output, what to know about it beside."""
    say(f"client_id      {client_id}")
    say(f"secret_id      {secret_id}")
    say(f"client_secret  {secret}")
    tell("The secret is shown this once: the ledger keeps only its hash.")
