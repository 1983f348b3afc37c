"""Pages of the site that come from elsewhere than docs/."""
