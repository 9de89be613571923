"""Who acts: the team of specialised agents, its models and its workbench."""
