import contextlib
import io
import unittest

from rectifier_policy import log


class Log(unittest.TestCase):
    def test_lines_go_to_standard_error_with_their_level(self):
        said = io.StringIO()
        with contextlib.redirect_stderr(said):
            for write in (log.debug, log.info, log.warn, log.error):
                write("x")
        self.assertEqual(said.getvalue(), "debug: x\ninfo: x\nwarn: x\nerror: x\n")
