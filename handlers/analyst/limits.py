"""What bounds one session, unless the settings say otherwise; apart, as the settings load without the SDK."""

from datetime import timedelta

# A session with thinking takes one to two minutes for three stocks; the rest is for a slow or busy API.
SESSION_DEADLINE = timedelta(minutes=15)
SESSION_BUDGET_USD = 1.0
