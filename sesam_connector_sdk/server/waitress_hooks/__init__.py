"""Every hook into waitress: whatever of its insides is changed or used, without being documented.

waitress made strict: the ambiguous is refused, and nobody may hold a place for ever. ``heads``,
``chunks`` and ``parser`` refuse requests, ``task`` answers them, ``channel`` is a connection,
``threads`` do the work, and ``server`` puts these together, to be run and ended step by step.
``waitress_server`` takes the steps, and knows waitress' arguments, which are documented.

Nothing outside this room imports waitress. The room itself imports ``errors``, and what ``web``
says of refusals and probes; not the settings, and nothing else of ``server``. ``make lint`` fails
on both.

The hooks follow, under the module here that has them. ``tests/server/waitress_hooks/test_hooks.py``
fails when waitress changes one of them, and when one is in use and not in this list::

    heads
        parser: ParsingError
    chunks
        receiver.ChunkedReceiver: received, completed, error, getbuf, getfile, __len__
        utilities: BadRequest
    parser
        parser: ParsingError
        parser.HTTPRequestParser: __init__, received, parse_header, close, adj, error, completed,
            expect_continue, chunked, content_length, body_bytes_received, body_rcv, path, headers,
            header_plus, header_bytes_received
        receiver.FixedStreamReceiver: getbuf
        buffers.OverflowableBuffer: overflow
        adjustments.Adjustments: inbuf_overflow
        utilities.Error: code, reason
        utilities: BadRequest
    task
        task.Task: service, write, request, channel, status, response_headers, content_length,
            complete, wrote_header, has_body, content_bytes_written, close_on_finish,
            build_response_header, set_close_on_finish
        task.ErrorTask: execute, complete
        task: WSGITask
        channel.HTTPChannel: write_soon
        parser.HTTPRequestParser: error
        utilities.Error: code, reason, body
        utilities.BadRequest: code
        utilities.RequestHeaderFieldsTooLarge: code
        utilities.RequestEntityTooLarge: code
        utilities.InternalServerError: code
    channel
        channel.HTTPChannel: parser_class, task_class, error_task_class, received, handle_write,
            handle_close, server, socket, request, requests, requests_lock, connected,
            last_activity, total_outbufs_len, close_when_flushed, will_close
        parser.HTTPRequestParser: error, path
        utilities: BadRequest
    server
        server.TcpWSGIServer: __init__, channel_class, active_channels, add_task, maintenance,
            in_connection_overflow, task_dispatcher, trigger, pull_trigger, accepting,
            del_channel, socket, effective_host, effective_port
        channel.HTTPChannel: handle_close
        task.ThreadedTaskDispatcher: add_task, shutdown
        trigger.trigger: pull_trigger
        adjustments.Adjustments: __init__, threads
        wasyncore: loop, close_all
    threads
        task.ThreadedTaskDispatcher: __init__, lock, queue_cv, set_thread_count
        threading.Condition: notify, _waiters
"""

from .server import StrictServer

__all__ = ["StrictServer"]
