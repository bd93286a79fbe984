"""Endpoints: the processes behind them, their health, traffic and updates."""
