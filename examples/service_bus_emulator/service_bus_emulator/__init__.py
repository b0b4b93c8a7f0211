"""An embedded Azure Service Bus for development and tests. It is not Azure.

```python
from service_bus_emulator import QueueSpec, faults, running

with running(queues=["orders", QueueSpec("once", duplicate_detection=60.0)]) as emulator:
    emulator.inject("orders", faults.Throttle(times=1))
    ...  # anything that connects with emulator.connection_string
    assert [message.body for message in emulator.messages("orders")] == [b"..."]
```
"""

from service_bus_emulator import faults
from service_bus_emulator.broker import UnknownEntityError
from service_bus_emulator.message import Message
from service_bus_emulator.server import Emulator, Stats, running
from service_bus_emulator.specs import QueueSpec, TopicSpec

__all__ = [
    "Emulator",
    "Message",
    "QueueSpec",
    "Stats",
    "TopicSpec",
    "UnknownEntityError",
    "faults",
    "running",
]
