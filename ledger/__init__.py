"""The domain and the event log: aggregates, events, codec, use cases, ports and the stores behind them."""
