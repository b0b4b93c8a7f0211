"""Tests of the sink: a real client, a real AMQP server, a real process."""
