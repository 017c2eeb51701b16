"""Where records become durable: SQLite, and the log that orders them."""
