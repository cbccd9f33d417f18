"""What an operator of the service can measure."""
