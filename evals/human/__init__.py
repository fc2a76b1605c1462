"""Human evaluation: people rate answers, or choose between two without knowing whose they are."""
