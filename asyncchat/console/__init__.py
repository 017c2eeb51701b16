"""The client as a program: in the terminal and on pipes. It stands on the public interface of the library."""
