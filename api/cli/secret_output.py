"""A generated secret on its one way out."""

from api.cli.output import print_note, print_result


def show_secret(client_id: str, secret_id: str, secret: str) -> None:
    """Print a secret: itself on standard output, what to know about it beside."""
    print_result(f"client_id      {client_id}")
    print_result(f"secret_id      {secret_id}")
    print_result(f"client_secret  {secret}")
    print_note("The secret is shown this once: the ledger keeps only its hash.")
