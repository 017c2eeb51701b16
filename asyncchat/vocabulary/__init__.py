"""What can be said: names, commands, events, records, queries and errors. Data only, and nothing of it does I/O."""
