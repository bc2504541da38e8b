// The local hub.
