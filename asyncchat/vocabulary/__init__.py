"""What can be said: names, commands, events, records and errors. Data only."""
