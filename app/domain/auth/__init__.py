"""Who someone is: passwords, tokens, second factors, devices, and what slows down guessing."""
