"""What piles up over a year of nights: what may go, what stays, whether the disk has room."""
