"""What can be broken, by name. Each module has the faults of one part; `ALL` has them all."""

from drill.faults.clocks import CLOCKS
from drill.faults.databases import DATABASES
from drill.faults.mails import MAILS
from drill.faults.programs import PROGRAMS
from drill.faults.scene import Fault

ALL: dict[str, Fault] = {one.name: one for one in (*PROGRAMS, *DATABASES, *MAILS, *CLOCKS)}
