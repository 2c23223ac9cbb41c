"""Every statement that storage runs, by noun; the operations above them never write SQL."""
